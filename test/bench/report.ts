import type { Slice } from './drive';

/** The slices of one contestant: by concurrency, one per round. */
export type Results = ReadonlyMap<number, readonly Slice[]>;

/** The table of all contestants: medians of the rounds. */
export function resultTable(
  contestants: ReadonlyArray<{ name: string; results: Results }>,
): string {
  const rows = contestants.flatMap(({ name, results }) =>
    [...results].map(([concurrency, slices]) => {
      const of = (value: (slice: Slice) => number): number =>
        quantile(slices.map(value), 0.5);
      return [
        name,
        String(concurrency),
        Math.round(of(slice => slice.decisionsPerSecond)).toLocaleString('en-US'),
        of(slice => slice.p50).toFixed(1),
        of(slice => slice.p99).toFixed(1),
        of(slice => slice.cpuMicroseconds).toFixed(1),
      ];
    }),
  );
  return table(['', 'c', 'decisions/s', 'p50 µs', 'p99 µs', 'CPU µs/decision'], rows);
}

/**
 * One line per comparison, one column per concurrency: the median of `value` over the two
 * slices of a round, with the quartiles in brackets. The two ran one after the other, so a
 * temporary slowdown of the machine cancels out.
 */
export function comparisonTable(
  comparisons: ReadonlyArray<{
    name: string;
    aim: string;
    of: Results;
    to: Results;
    value: (of: Slice, to: Slice) => number;
    digits: number;
  }>,
  concurrencies: readonly number[],
): string {
  const rows = comparisons.map(({ name, aim, of, to, value, digits }) => [
    name,
    ...concurrencies.map(concurrency => {
      const others = to.get(concurrency) ?? [];
      const values = (of.get(concurrency) ?? []).map((slice, round) =>
        value(slice, others[round]!),
      );
      const [low, middle, high] = [0.25, 0.5, 0.75].map(share =>
        quantile(values, share).toFixed(digits),
      );
      return `${middle} (${low} to ${high})`;
    }),
    aim,
  ]);
  return table(['', ...concurrencies.map(c => `c=${c}`), 'aim'], rows);
}

function table(
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map(row => row[column]!.length)),
  );
  return [head, ...rows]
    .map(row =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The value at this share of the sorted list, interpolated between its neighbours. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}
