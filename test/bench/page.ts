/** docs/performance.md, of which each benchmark writes the part between its own markers. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Relative to the package. */
const PAGE = 'docs/performance.md';

export interface Machine {
  readonly node: string;
  readonly cores: number;
  readonly processor: string;
  /** `2026-07-31`. */
  readonly date: string;
}

/** @param script - whose part it is, `bench` or `bench:growth`. */
export const updatePage = (script: string, part: string): void =>
  writeFileSync(PAGE, withPart(readFileSync(PAGE, 'utf8'), script, part));

/**
 * The page with this part in place of the one that the script has written before.
 *
 * @throws Error if the page has no markers for it.
 */
export function withPart(page: string, script: string, part: string): string {
  const begin = `<!-- made by npm run ${script}: begin -->`;
  const end = `<!-- made by npm run ${script}: end -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from === -1 || to < from) throw new Error(`${PAGE} has no '${begin}' … '${end}'`);
  return `${page.slice(0, from)}${begin}\n\n${part.trim()}\n\n${page.slice(to)}`;
}

export const measuredOn = ({ node, cores, processor, date }: Machine): string =>
  `Measured on ${date} with Node.js ${node} on ${cores} cores (${processor}).`;

/** Keeps Prettier from aligning tables, which would change every line of them. */
export const unformatted = (text: string): string =>
  `<!-- prettier-ignore-start -->\n\n${text.trim()}\n\n<!-- prettier-ignore-end -->`;

/**
 * The lines of a Markdown table.
 *
 * @param words - how many columns, from the left, contain words; the others contain numbers.
 */
export const tableText = (
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  words = 1,
): string[] =>
  [head, head.map((_, column) => (column < words ? '---' : '--:')), ...rows].map(
    cells => `| ${cells.join(' | ')} |`,
  );
