/** A chart of bars as SVG: a panel per group, a bar per contestant, a line for its spread. */
import { numberText } from './number-text';
import { escape, round, stepFor, svg } from './svg';
import type { Spread } from './statistics';

export interface Bar {
  readonly title: string;
  readonly spread: Spread;
  /** Whether it is the router: drawn in its colour. */
  readonly isRouter: boolean;
}

export interface BarPanel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  /** What a number is: `of allow-all`. */
  readonly unit: string;
  /** Logarithmic where the bars differ by orders of magnitude. */
  readonly scale: 'linear' | 'logarithmic';
  readonly panels: readonly BarPanel[];
}

const COLUMNS = 2;
const WIDTH = 500;
/** Space for the titles of the bars, and at the right for their values. */
const LEFT = 190;
const RIGHT = 60;
const TOP = 34;
const BOTTOM = 30;
const ROW = 18;
const THICKNESS = 10;
/** About so many marks on a linear axis. */
const MARKS = 5;

const STYLE = `
  .router { fill: #2f7ed8; }
  .other { fill: #8c8c8c; }
  .spread { stroke: #111111; stroke-width: 1.5; }
`;

const DARK_STYLE = `
    .spread { stroke: #ffffff; }
`;

export function barChart({ label, unit, scale, panels }: BarChart): string {
  const place = scaleOf(panels, scale);
  const heights = panels.map(({ bars }) => TOP + bars.length * ROW + BOTTOM);
  const rows = Array.from({ length: Math.ceil(panels.length / COLUMNS) }, (_, row) =>
    Math.max(...heights.slice(row * COLUMNS, (row + 1) * COLUMNS)),
  );
  const content = panels.map((panel, index) => {
    const row = Math.floor(index / COLUMNS);
    const y = rows.slice(0, row).reduce((sum, height) => sum + height, 0);
    return `<g transform="translate(${(index % COLUMNS) * WIDTH} ${y})">\n${drawPanel(panel, unit, place)}\n</g>`;
  });
  return svg({
    width: Math.min(COLUMNS, panels.length) * WIDTH,
    height: rows.reduce((sum, height) => sum + height, 0),
    label,
    style: STYLE,
    darkStyle: DARK_STYLE,
    content,
  });
}

/** One scale for all panels, so that they can be compared. */
interface Scale {
  /** The horizontal place of a value. */
  readonly x: (value: number) => number;
  readonly marks: readonly number[];
}

function scaleOf(panels: readonly BarPanel[], scale: BarChart['scale']): Scale {
  const values = panels.flatMap(({ bars }) =>
    bars.flatMap(({ spread }) => [spread.low, spread.median, spread.high]),
  );
  const most = Math.max(...values);
  const width = WIDTH - LEFT - RIGHT;
  if (scale === 'linear') {
    const step = stepFor(most / MARKS);
    const end = Math.ceil(most / step - 1e-9) * step;
    return {
      x: value => LEFT + (value / end) * width,
      marks: Array.from({ length: Math.round(end / step) + 1 }, (_, i) => i * step),
    };
  }
  // Below the least, so that its bar can be seen too.
  const first = Math.floor(Math.log10(Math.min(...values)) - 0.05);
  const last = Math.ceil(Math.log10(most));
  return {
    x: value => LEFT + ((Math.log10(value) - first) / (last - first)) * width,
    marks: Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)),
  };
}

function drawPanel({ title, bars }: BarPanel, unit: string, scale: Scale): string {
  const bottom = TOP + bars.length * ROW;
  return [
    `<text class="title" x="10" y="20">${escape(title)}</text>`,
    `<text x="${WIDTH - 10}" y="20" text-anchor="end">${escape(unit)}</text>`,
    ...scale.marks.flatMap(mark => {
      const x = round(scale.x(mark));
      return [
        `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 4}" y2="${bottom}"/>`,
        `<text x="${x}" y="${bottom + 14}" text-anchor="middle">${numberText(mark)}</text>`,
      ];
    }),
    ...bars.map((bar, index) => drawBar(bar, TOP + index * ROW, scale)),
  ].join('\n');
}

function drawBar(
  { title, spread, isRouter }: Bar,
  top: number,
  { x, marks }: Scale,
): string {
  const begin = x(marks[0]!);
  const middle = round(top + THICKNESS / 2);
  return [
    `<text x="${LEFT - 6}" y="${top + 9}" text-anchor="end">${escape(title)}</text>`,
    `<rect class="${isRouter ? 'router' : 'other'}" x="${round(begin)}" y="${top}" width="${round(Math.max(0, x(spread.median) - begin))}" height="${THICKNESS}"/>`,
    `<line class="spread" x1="${round(x(spread.low))}" x2="${round(x(spread.high))}" y1="${middle}" y2="${middle}"/>`,
    `<text class="value" x="${WIDTH - RIGHT + 8}" y="${top + 9}">${numberText(spread.median)}</text>`,
  ].join('\n');
}
