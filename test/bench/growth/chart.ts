/** The chart of docs/performance.md as SVG: a panel per subject, a line per stage. */
import { COLOURS, escape, round, spreadApart, svg } from '../svg';
import type { Point } from './fit';

export interface Line {
  readonly title: string;
  readonly points: readonly Point[];
  /** Whether it grows worse than n log n: drawn thick. */
  readonly isWorse: boolean;
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

const COLUMNS = 2;
const PANEL = { width: 500, height: 330 };
/** The space around the axes of a panel; to the right it holds the titles of the lines. */
const MARGIN = { top: 34, right: 205, bottom: 34, left: 66 };
/** The least distance between the titles of two lines. */
const LINE_HEIGHT = 13;

const STYLE = `
  .nlogn { stroke: #333333; stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
  .stage { stroke-width: 1.5; fill: none; }
  .leader { stroke-width: 0.75; opacity: 0.5; fill: none; }
  .worse { stroke-width: 3; }
  text.worse { font-weight: 600; }
`;

const DARK_STYLE = `
    .nlogn { stroke: #dddddd; }
`;

/** Times are shown as multiples of the time at the smallest size, so only slopes can be compared. */
export function chart(panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / COLUMNS);
  const width = COLUMNS * PANEL.width;
  const height = rows * PANEL.height;
  const drawn = panels.map((panel, index) => {
    const x = (index % COLUMNS) * PANEL.width;
    const y = Math.floor(index / COLUMNS) * PANEL.height;
    return `<g transform="translate(${x} ${y})">\n${drawPanel(panel)}\n</g>`;
  });
  return svg({
    width,
    height,
    label: 'Growth of each stage',
    style: STYLE,
    darkStyle: DARK_STYLE,
    content: drawn,
  });
}

function drawPanel({ title, lines }: Panel): string {
  const shown = lines.map(line => ({ ...line, points: relative(line.points) }));
  const points = shown.flatMap(line => line.points);
  const sizes = rangeOf(points.map(({ size }) => size));
  const guide = nLogN(sizes);
  const times = rangeOf([...points, ...guide].map(({ time }) => time));
  const place = axes(sizes, times);
  const ends = spreadApart(
    shown.map(({ points: of }) => place(of.at(-1)!)[1]),
    LINE_HEIGHT,
    PANEL.height - 8,
  );
  return [
    `<text class="title" x="${MARGIN.left}" y="20">${escape(title)}</text>`,
    `<text x="${PANEL.width - MARGIN.right}" y="20" text-anchor="end">dashed: n log n</text>`,
    ...grid(sizes, times, place),
    `<polyline class="nlogn" points="${path(guide, place)}"/>`,
    ...shown.map((line, index) => drawLine(line, index, ends[index]!, place)),
  ].join('\n');
}

function drawLine(
  { title, points, isWorse }: Line,
  index: number,
  labelY: number,
  place: Place,
): string {
  const colour = COLOURS[index % COLOURS.length]!;
  const worse = isWorse ? ' worse' : '';
  const right = PANEL.width - MARGIN.right;
  const [endX, endY] = place(points.at(-1)!);
  const leader = [
    [endX, endY],
    [right + 4, labelY],
  ]
    .map(at)
    .join(' ');
  return [
    `<polyline class="stage${worse}" stroke="${colour}" points="${path(points, place)}"/>`,
    `<polyline class="leader" stroke="${colour}" points="${leader}"/>`,
    `<text class="label${worse}" style="fill: ${colour}" x="${right + 7}" y="${round(labelY + 4)}">${escape(title)}</text>`,
  ].join('\n');
}

const relative = (points: readonly Point[]): Point[] =>
  points.map(({ size, time }) => ({ size, time: time / points[0]!.time }));

type Range = readonly [low: number, high: number];

const rangeOf = (values: readonly number[]): Range => [
  Math.min(...values),
  Math.max(...values),
];

/** From the smallest size on, where it is 1 as every line is. */
function nLogN([low, high]: Range): Point[] {
  const steps = 20;
  const cost = (size: number): number => size * Math.log2(size + 1);
  return Array.from({ length: steps + 1 }, (_, step) => {
    const size = low * (high / low) ** (step / steps);
    return { size, time: cost(size) / cost(low) };
  });
}

type Position = readonly [x: number, y: number];
type Place = (point: Point) => Position;

/** Both axes are logarithmic. */
function axes(sizes: Range, times: Range): Place {
  const share = (value: number, [low, high]: Range): number =>
    high === low ? 0 : Math.log(value / low) / Math.log(high / low);
  const width = PANEL.width - MARGIN.left - MARGIN.right;
  const height = PANEL.height - MARGIN.top - MARGIN.bottom;
  return ({ size, time }) => [
    MARGIN.left + share(size, sizes) * width,
    MARGIN.top + (1 - share(time, times)) * height,
  ];
}

/** Lines and texts at the powers of ten, and at the ends of the sizes. */
function grid(sizes: Range, times: Range, place: Place): string[] {
  const left = MARGIN.left;
  const right = PANEL.width - MARGIN.right;
  const bottom = PANEL.height - MARGIN.bottom;
  const marks = [...new Set([sizes[0], ...powersOfTen(sizes), sizes[1]])].filter(
    (size, index, all) => {
      const next = all[index + 1];
      return next === undefined || next / size >= 2.5 || size === sizes[0];
    },
  );
  return [
    ...marks.flatMap(size => {
      const [x] = place({ size, time: times[0] });
      return [
        `<line class="grid" x1="${round(x)}" x2="${round(x)}" y1="${MARGIN.top}" y2="${bottom}"/>`,
        `<text x="${round(x)}" y="${bottom + 16}" text-anchor="middle">${size.toLocaleString('en-US')}</text>`,
      ];
    }),
    ...powersOfTen(times).flatMap(time => {
      const [, y] = place({ size: sizes[0], time });
      return [
        `<line class="grid" x1="${left}" x2="${right}" y1="${round(y)}" y2="${round(y)}"/>`,
        `<text x="${left - 6}" y="${round(y + 4)}" text-anchor="end">×${time.toLocaleString('en-US')}</text>`,
      ];
    }),
  ];
}

function powersOfTen([low, high]: Range): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  return Array.from(
    { length: Math.max(0, last - first + 1) },
    (_, index) => 10 ** (first + index),
  );
}

const path = (points: readonly Point[], place: Place): string =>
  points.map(point => at(place(point))).join(' ');

const at = (position: readonly number[]): string => position.map(round).join(',');
