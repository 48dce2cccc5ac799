/** Prints rows under their headings, columns padded to their widest cell. */
export function printTable(
  headings: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
): void {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map(row => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd();
  console.log(line(headings));
  console.log(line(widths.map(width => '─'.repeat(width))));
  for (const row of rows) console.log(line(row));
}
