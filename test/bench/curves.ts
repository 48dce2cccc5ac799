/** A chart of curves as SVG, both axes linear and from zero. */
import { numberText } from './number-text';
import { COLOURS, escape, round, spreadApart, stepFor, svg } from './svg';

export interface Curve {
  readonly title: string;
  readonly points: ReadonlyArray<{ readonly x: number; readonly y: number }>;
}

export interface CurveChart {
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  readonly xUnit: string;
  readonly yUnit: string;
  readonly curves: readonly Curve[];
}

const WIDTH = 900;
const HEIGHT = 360;
/** The space around the axes; to the right it holds the titles of the curves. */
const MARGIN = { top: 34, right: 220, bottom: 44, left: 60 };
/** The least distance between the titles of two curves. */
const LINE_HEIGHT = 14;
/** About so many marks on an axis. */
const MARKS = 5;

const STYLE = `
  .curve { stroke-width: 1.5; fill: none; }
  .leader { stroke-width: 0.75; opacity: 0.5; fill: none; }
`;

export function curveChart({ label, xUnit, yUnit, curves }: CurveChart): string {
  const points = curves.flatMap(curve => curve.points);
  const xs = marksTo(Math.max(...points.map(({ x }) => x)));
  const ys = marksTo(Math.max(...points.map(({ y }) => y)));
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const placeX = (x: number): number =>
    MARGIN.left + (x / xs.at(-1)!) * (right - MARGIN.left);
  const placeY = (y: number): number =>
    bottom - (y / ys.at(-1)!) * (bottom - MARGIN.top);
  const shown = curves.filter(curve => curve.points.length > 0);
  const labels = spreadApart(
    shown.map(curve => placeY(curve.points.at(-1)!.y)),
    LINE_HEIGHT,
    bottom,
  );
  return svg({
    width: WIDTH,
    height: HEIGHT,
    label,
    style: STYLE,
    darkStyle: '',
    content: [
      `<text x="10" y="20">${escape(yUnit)}</text>`,
      `<text x="${right}" y="${HEIGHT - 10}" text-anchor="end">${escape(xUnit)}</text>`,
      ...xs.map(
        x =>
          `<text x="${round(placeX(x))}" y="${bottom + 16}" text-anchor="middle">${numberText(x)}</text>`,
      ),
      ...ys.flatMap(y => [
        `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${round(placeY(y))}" y2="${round(placeY(y))}"/>`,
        `<text x="${MARGIN.left - 6}" y="${round(placeY(y) + 4)}" text-anchor="end">${numberText(y)}</text>`,
      ]),
      ...shown.flatMap((curve, index) => {
        const colour = COLOURS[index % COLOURS.length]!;
        const path = curve.points.map(({ x, y }) => at(placeX(x), placeY(y)));
        const labelY = labels[index]!;
        return [
          `<polyline class="curve" stroke="${colour}" points="${path.join(' ')}"/>`,
          `<polyline class="leader" stroke="${colour}" points="${path.at(-1)} ${at(right + 6, labelY)}"/>`,
          `<text class="label" style="fill: ${colour}" x="${right + 10}" y="${round(labelY + 4)}">${escape(curve.title)}</text>`,
        ];
      }),
    ],
  });
}

const at = (x: number, y: number): string => `${round(x)},${round(y)}`;

/** From zero to the first mark that is not below the value. */
function marksTo(most: number): number[] {
  const step = stepFor(most / MARKS);
  const count = Math.max(1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}
