/** Writes what was measured to docs/performance.md and its chart. */
import { readFileSync, writeFileSync } from 'node:fs';
import { chart, type Panel } from './chart';
import { ratiosOf } from './fit';
import { bySubject, countText, growthText, ratioText, type Row } from './report';

/** Relative to the package. */
const PAGE = 'docs/performance.md';
const CHART = 'docs/performance.svg';

const BEGIN = '<!-- made by npm run bench:growth: begin -->';
const END = '<!-- made by npm run bench:growth: end -->';
const UNFORMATTED = '<!-- prettier-ignore-start -->';
const FORMATTED = '<!-- prettier-ignore-end -->';

export interface Machine {
  readonly node: string;
  readonly cores: number;
  readonly processor: string;
  /** `2026-07-31`. */
  readonly date: string;
}

export function writePage(rows: readonly Row[], machine: Machine): void {
  const [before, after] = around(readFileSync(PAGE, 'utf8'));
  writeFileSync(PAGE, before + render(rows, machine) + after);
  writeFileSync(CHART, chart(panelsOf(rows)));
}

function around(page: string): [before: string, after: string] {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) {
    throw new Error(`${PAGE} has no '${BEGIN}' … '${END}'`);
  }
  return [page.slice(0, begin + BEGIN.length), page.slice(end)];
}

/** Only ratios and exponents: absolute times are those of one machine on one day. */
export function render(rows: readonly Row[], machine: Machine): string {
  const { node, cores, processor, date } = machine;
  const tables = bySubject(rows).flatMap(([subject, group]) => [
    `### Growth with the ${subject}`,
    '',
    ...tableOf(group),
    '',
  ]);
  return [
    '',
    '',
    `Measured on ${date} with Node.js ${node} on ${cores} cores (${processor}).`,
    '',
    UNFORMATTED,
    '',
    ...tables,
    FORMATTED,
    '',
    '',
  ].join('\n');
}

/** Each time divided by the time at the size in the column before. */
function tableOf(rows: readonly Row[]): string[] {
  const sizes = [...new Set(rows.flatMap(({ growing }) => growing.stage.sizes))].sort(
    (a, b) => a - b,
  );
  const head = ['', ...sizes.map(countText), 'growth'];
  return [head, head.map((_, index) => (index === 0 ? '---' : '--:'))]
    .concat(rows.map(row => cellsOf(row, sizes)))
    .map(cells => `| ${cells.join(' | ')} |`);
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
