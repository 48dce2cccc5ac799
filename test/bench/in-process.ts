/** Measures contestants in this process, in rounds. */
import { numberText } from './number-text';
import type { Comparison, Group } from './comparison';
import { drive, type Contestant, type Load, type Slice } from './drive';
import type { Run } from './section';
import { quantile } from './statistics';

export type Shape = Pick<Load, 'items' | 'concurrency'>;

export interface Plan {
  /** For the progress. */
  readonly what: string;
  readonly shapes: readonly Shape[];
  /** Of a full run. */
  readonly rounds: number;
}

export interface Measured {
  readonly groups: readonly Group[];
  readonly wrong: readonly string[];
}

/** OPA's decisions take so long that V8 needs seconds to see enough of them to optimize. */
const FULL = {
  inProcess: { warmUp: 800, slice: 60 },
  remote: { warmUp: 2000, slice: 200 },
};
const QUICK = {
  inProcess: { warmUp: 60, slice: 20 },
  remote: { warmUp: 150, slice: 40 },
};

/** Every second round in reverse order, so that other work on the machine affects all alike. */
export async function measure(
  run: Run,
  contestants: readonly Contestant[],
  { what, shapes, rounds: full }: Plan,
): Promise<Measured> {
  const rounds = run.quick ? 1 : full;
  const times = ({ inProcess }: Contestant) =>
    (run.quick ? QUICK : FULL)[inProcess ? 'inProcess' : 'remote'];
  const progress = run.progress(
    what,
    contestants.length * (shapes.length * rounds + 1),
  );
  for (const contestant of contestants) {
    for (const shape of shapes) {
      const milliseconds = times(contestant).warmUp / shapes.length;
      await drive(contestant, { ...shape, milliseconds });
    }
    progress.step('warm-up');
  }
  const slices = shapes.map(() => contestants.map(() => [] as Slice[]));
  for (let round = 0; round < rounds; round++) {
    for (const [index, shape] of shapes.entries()) {
      const order = contestants.map((contestant, at) => ({ contestant, at }));
      for (const { contestant, at } of round % 2 === 0 ? order : order.reverse()) {
        const milliseconds = times(contestant).slice;
        slices[index]![at]!.push(await drive(contestant, { ...shape, milliseconds }));
        progress.step(`round ${round + 1} of ${rounds}`);
      }
    }
  }
  return {
    groups: shapes.map((shape, index) => ({
      title: shapeText(shape),
      entries: contestants.map(({ id, title, isRouter }, at) => {
        const own = slices[index]![at]!;
        const median = (value: (slice: Slice) => number): string =>
          numberText(quantile(own.map(value), 0.5));
        return {
          ...{ id, title, isRouter },
          values: own.map(({ microseconds }) => microseconds),
          more: [
            median(slice => slice.cpuMicroseconds),
            median(slice => slice.p50),
            median(slice => slice.p99),
          ],
        };
      }),
    })),
    wrong: contestants.flatMap(({ title }, at) => {
      const wrong = slices
        .flatMap(ofShape => ofShape[at]!)
        .reduce((sum, slice) => sum + slice.wrong, 0);
      return wrong === 0 ? [] : [`${what}: ${wrong} wrong decisions of ${title}`];
    }),
  };
}

export const shapeText = ({ items, concurrency }: Shape): string =>
  `${items} ${items === 1 ? 'item' : 'items'}, c=${concurrency}`;

/** What comparisons of contestants in this process have in common. */
export const IN_PROCESS: Pick<Comparison, 'unit' | 'more'> = {
  unit: 'µs',
  more: ['CPU µs', 'p50 µs', 'p99 µs'],
};
