/** What a router has compared. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Router } from '../../src/router';

type Shadows = Router['shadows'];

/** How many comparisons have ended. */
export const comparedSoFar = ({ status }: Shadows): number =>
  status.counts.reduce(
    (sum, { same, differs, skipped, undetermined }) =>
      Object.values(undetermined).reduce(
        (a, b) => a + b,
        sum + same + differs + skipped,
      ),
    0,
  );

const LIMIT = 90_000;

/** Waits until so many comparisons have ended. */
export async function compared(shadows: Shadows, count: number): Promise<void> {
  const end = performance.now() + LIMIT;
  while (comparedSoFar(shadows) < count) {
    if (performance.now() > end) throw new Error(`${count} were not compared`);
    await turn();
  }
}

/** Each count above zero: `'catalog' opa→opa-next: 1 same, 2 live_failure`. */
export const countsOf = ({ status }: Shadows): string[] =>
  status.counts.map(
    ({ route, replaced, by, same, differs, undetermined, skipped }) =>
      `${route} ${replaced}→${by}: ${Object.entries({
        same,
        differs,
        ...undetermined,
        skipped,
      })
        .filter(([, count]) => count > 0)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ')}`,
  );
