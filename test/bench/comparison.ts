/** Contestants that were measured in the same rounds, in relation to some of them. */
import { barChart, type Bar } from './bars';
import { numberText } from './number-text';
import type { Table } from './section';
import { ratiosOf, spreadOf, type Spread } from './statistics';

/** One contestant in one group; each list has one value per round. */
export interface Entry {
  readonly id: string;
  readonly title: string;
  readonly isRouter: boolean;
  /** What is compared: requests per second, or microseconds. */
  readonly values: readonly number[];
  /** Further columns. */
  readonly more: readonly string[];
}

/** What is compared with each other: `1 item, c=16`. */
export interface Group {
  readonly title: string;
  readonly entries: readonly Entry[];
}

export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  /** Of `values`: `requests/s`. */
  readonly unit: string;
  /** The contestants that all are given in relation to. */
  readonly to: ReadonlyArray<{ readonly id: string; readonly name: string }>;
  /** The heads of `more`. */
  readonly more: readonly string[];
  readonly groups: readonly Group[];
  readonly chart: {
    readonly of: 'ratio' | 'value';
    readonly scale: 'linear' | 'logarithmic';
  };
}

/** The ratio of two contestants in each round, which other work on the machine affects alike. */
export function ratiosIn({ entries }: Group, of: string, to: string): number[] {
  const values = (id: string) => entries.find(entry => entry.id === id)?.values ?? [];
  return ratiosOf(values(of), values(to));
}

export function comparisonTable(comparison: Comparison): Table {
  const { id, title, text, unit, to, more, groups, chart } = comparison;
  const present = to.filter(({ id: other }) =>
    groups.some(({ entries }) => entries.some(entry => entry.id === other)),
  );
  return {
    id,
    title,
    text,
    head: ['', '', unit, ...present.map(({ name }) => name), ...more],
    words: 2,
    rows: groups.flatMap(group =>
      group.entries.map((entry, index) => [
        index === 0 ? group.title : '',
        entry.title,
        numberText(spreadOf(entry.values).median),
        ...present.map(other =>
          spreadText(spreadOf(ratiosIn(group, entry.id, other.id))),
        ),
        ...entry.more,
      ]),
    ),
    chart: barChart({
      label: `${title}: the numbers of the table as bars`,
      unit: chart.of === 'value' ? unit : (present[0]?.name ?? ''),
      scale: chart.scale,
      panels: groups.map(group => ({
        title: group.title,
        bars: group.entries.flatMap(entry => barOf(comparison, group, entry)),
      })),
    }),
  };
}

function barOf({ chart, to }: Comparison, group: Group, entry: Entry): Bar[] {
  const { title, isRouter, values } = entry;
  const spread = spreadOf(
    chart.of === 'value' ? values : ratiosIn(group, entry.id, to[0]!.id),
  );
  return Number.isFinite(spread.median) ? [{ title, isRouter, spread }] : [];
}

/** `0.93 (0.91 to 0.95)`. */
export function spreadText({ low, median, high }: Spread): string {
  if (!Number.isFinite(median)) return '';
  const [from, middle, to] = [low, median, high].map(value =>
    value >= 10 ? numberText(value) : value.toFixed(2),
  );
  return `${middle} (${from} to ${to})`;
}
