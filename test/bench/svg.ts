/** What the charts of the documentation have in common. */

/** A chart has a background of its own, because the page around it may be light or dark. */
export const BASE_STYLE = `
  svg { font: 11px system-ui, sans-serif; }
  .back { fill: #ffffff; }
  text { fill: #333333; }
  .title { font-size: 13px; font-weight: 600; }
  .grid { stroke: #dddddd; }
`;

export const DARK_STYLE = `
    .back { fill: #1e1e1e; }
    text { fill: #dddddd; }
    .grid { stroke: #444444; }
`;

/** Readable on a light and on a dark background. */
export const COLOURS = [
  '#2f7ed8',
  '#c9622b',
  '#2a9d6f',
  '#b8479c',
  '#8f7a1f',
  '#7464d6',
  '#d0454c',
  '#1f93a8',
];

export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  /** Beside the styles that all charts have. */
  readonly style: string;
  readonly darkStyle: string;
  readonly content: readonly string[];
}

export const svg = ({
  width,
  height,
  label,
  style,
  darkStyle,
  content,
}: Drawing): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${attribute(label)}">`,
    `<style>${BASE_STYLE}${style}  @media (prefers-color-scheme: dark) {${DARK_STYLE}${darkStyle}  }\n</style>`,
    `<rect class="back" width="${width}" height="${height}" rx="6"/>`,
    ...content,
    '</svg>',
    '',
  ].join('\n');

export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const attribute = (text: string): string => escape(text).replaceAll('"', '&quot;');

export const round = (value: number): string => String(Math.round(value * 10) / 10);

/** Moves texts apart that would cover each other, and keeps them above the bottom. */
export function spreadApart(
  wanted: readonly number[],
  distance: number,
  bottom: number,
): number[] {
  const places = new Array<number>(wanted.length);
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]!);
  let above = -Infinity;
  for (const index of order) {
    above = places[index] = Math.max(wanted[index]!, above + distance);
  }
  let below = bottom + distance;
  for (const index of order.toReversed()) {
    below = places[index] = Math.min(places[index]!, below - distance);
  }
  return places;
}

/** The distance of marks on a linear axis: the next 1, 2 or 5 times a power of ten. */
export function stepFor(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map(each => each * power).find(step => step >= rough - 1e-9)!;
}
