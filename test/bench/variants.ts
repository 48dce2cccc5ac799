/** Variants of the same router, in relation to the first of each group. */
import { comparisonTable, type Group } from './comparison';
import type { Contestant } from './drive';
import { IN_PROCESS, measure } from './in-process';
import type { Outcome, Run } from './section';
import { tableForTerminal } from './text-table';

export interface VariantGroup {
  readonly title: string;
  /** The others are compared with the first. */
  readonly variants: readonly Contestant[];
}

const SHAPES = [1, 16].map(concurrency => ({ items: 1, concurrency }));

/** The id that the first of each group gets. */
const PLAIN = 'plain';

export async function measureVariants(
  run: Run,
  about: {
    readonly id: string;
    readonly title: string;
    readonly text: string;
    readonly groups: readonly VariantGroup[];
  },
): Promise<Outcome> {
  const { id, title, text } = about;
  const groups: Group[] = [];
  const wrong: string[] = [];
  for (const { title: name, variants } of about.groups) {
    const measured = await measure(
      run,
      variants.map((each, index) => ({ ...each, id: index === 0 ? PLAIN : each.id })),
      { what: `${title}, ${name}`, shapes: SHAPES, rounds: 9 },
    );
    wrong.push(...measured.wrong);
    for (const [index, shape] of SHAPES.entries()) {
      const { entries } = measured.groups[index]!;
      groups.push({ title: `${name}, c=${shape.concurrency}`, entries });
    }
  }
  const table = comparisonTable({
    ...IN_PROCESS,
    ...{ id, title, text, groups },
    to: [{ id: PLAIN, name: 'times the first' }],
    chart: { of: 'ratio', scale: 'linear' },
  });
  run.print(`\n${tableForTerminal(table)}`);
  return { tables: [table], targets: [], wrong };
}
