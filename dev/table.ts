/** Characters of a line of the last column. */
const MAX_LAST = 100;

/** Prints rows under their headings, columns padded to their widest cell; the last one wraps. */
export function printTable(
  headings: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
): void {
  const lines = rows.flatMap(wrapped);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...lines.map(row => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd();
  console.log(line(headings));
  console.log(line(widths.map(width => '─'.repeat(width))));
  for (const row of lines) console.log(line(row));
}

/** As many lines as its last cell needs, broken at spaces. */
function wrapped(row: readonly string[]): string[][] {
  const pieces = (row.at(-1) ?? '').match(BREAKS) ?? [''];
  return pieces.map((piece, index) => [
    ...row.slice(0, -1).map(cell => (index === 0 ? cell : '')),
    piece.trimEnd(),
  ]);
}

const BREAKS = new RegExp(`.{1,${MAX_LAST}}(?:\\s|$)|\\S+`, 'g');
