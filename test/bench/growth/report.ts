import { growthOf, ratiosOf, type Growth } from './fit';
import type { Growing } from './measure';

/** What a stage is told to be in the reports. */
export interface Row {
  readonly growing: Growing;
  readonly growth: Growth;
}

export const rowOf = (growing: Growing): Row => ({
  growing,
  growth: growthOf(growing.points),
});

/** The rows by subject, in the order of the stages. */
export function bySubject(rows: readonly Row[]): Array<[subject: string, rows: Row[]]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const { subject } = row.growing.stage;
    groups.set(subject, [...(groups.get(subject) ?? []), row]);
  }
  return [...groups];
}

/** The growth in a few characters: `n^1.07`, and whether it is worse than n log n. */
export function growthText({ growth, growing }: Row): string {
  const { exponent, isWorse } = growth;
  if (exponent === undefined) {
    return growing.stoppedAt === undefined ? 'too fast to tell' : 'too slow to tell';
  }
  return `n^${exponent.toFixed(2)}${isWorse ? ', worse than n log n' : ''}`;
}

/** `1,000`. */
export const countText = (count: number): string => count.toLocaleString('en-US');

/** The table of one stage for the terminal. */
export function stageTable(row: Row): string {
  const { stage, points, stoppedAt } = row.growing;
  const ratios = ratiosOf(points);
  const lines = points.map(({ size, time, hold }, index) =>
    [
      countText(size).padStart(9),
      timeText(time).padStart(10),
      (ratios[index] === undefined ? '' : ratioText(ratios[index])).padStart(8),
      hold === undefined ? '' : `   holds ${timeText(hold * 1000)}`,
    ].join(''),
  );
  return [
    `${stage.id}: ${stage.title} (${stage.subject})`,
    ...lines,
    ...(stoppedAt === undefined
      ? []
      : [`${countText(stoppedAt).padStart(9)}   left out: a call would take too long`]),
    `   growth ${growthText(row)}`,
  ].join('\n');
}

export const ratioText = (ratio: number): string =>
  `×${ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(1)}`;

function timeText(microseconds: number): string {
  if (microseconds >= 1e6) return `${(microseconds / 1e6).toFixed(1)} s`;
  if (microseconds >= 1000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${microseconds.toFixed(1)} µs`;
}
