/** Writes what was measured to docs/performance.md and its chart. */
import { writeFileSync } from 'node:fs';
import { measuredOn, tableText, unformatted, updatePage, type Machine } from '../page';
import { chart, type Panel } from './chart';
import { ratiosOf } from './fit';
import { bySubject, countText, growthText, ratioText, type Row } from './report';

/** Relative to the package. */
const CHART = 'docs/performance.svg';

export function writePage(rows: readonly Row[], machine: Machine): void {
  updatePage('bench:growth', render(rows, machine));
  writeFileSync(CHART, chart(panelsOf(rows)));
}

/** Only ratios and exponents: absolute times are those of one machine on one day. */
export function render(rows: readonly Row[], machine: Machine): string {
  const tables = bySubject(rows).flatMap(([subject, group]) => [
    `### Growth with the ${subject}`,
    '',
    ...tableOf(group),
    '',
  ]);
  return `${measuredOn(machine)}\n\n${unformatted(tables.join('\n'))}`;
}

/** Each time divided by the time at the size in the column before. */
function tableOf(rows: readonly Row[]): string[] {
  const sizes = [...new Set(rows.flatMap(({ growing }) => growing.stage.sizes))].sort(
    (a, b) => a - b,
  );
  const head = ['', ...sizes.map(countText), 'growth'];
  return tableText(
    head,
    rows.map(row => cellsOf(row, sizes)),
  );
}

function cellsOf(row: Row, sizes: readonly number[]): string[] {
  const { stage, points, stoppedAt } = row.growing;
  const ratios = ratiosOf(points);
  const cells = sizes.map(size => {
    const index = points.findIndex(point => point.size === size);
    if (index === 0) return '1';
    if (index > 0) return ratioText(ratios[index]!);
    return stoppedAt !== undefined && size >= stoppedAt && stage.sizes.includes(size)
      ? 'too slow'
      : '';
  });
  const growth = growthText(row);
  return [stage.title, ...cells, row.growth.isWorse ? `**${growth}**` : growth];
}

export const panelsOf = (rows: readonly Row[]): Panel[] =>
  bySubject(rows).map(([title, group]) => ({
    title,
    lines: group.map(({ growing, growth }) => ({
      title: growing.stage.title,
      points: growing.points,
      isWorse: growth.isWorse,
    })),
  }));
