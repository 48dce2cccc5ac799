import type { Table } from './section';

/**
 * A table for the terminal.
 *
 * @param words - how many columns, from the left, contain words; the others contain numbers.
 */
export function textTable(
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  words = 1,
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map(row => row[column]!.length)),
  );
  return [head, ...rows]
    .map(row =>
      row
        .map((cell, column) =>
          column < words
            ? cell.padEnd(widths[column]!)
            : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const tableForTerminal = ({ title, head, rows, words }: Table): string =>
  `${title}\n${textTable(head, rows, words)}`;
