import type { Cell } from './measure';

/** A Markdown table for each request: decisions by numbers of entities. */
export function report(cells: readonly Cell[]): string[] {
  const distinct = <T>(of: (cell: Cell) => T): T[] => [...new Set(cells.map(of))];
  const sizes = distinct(({ entities }) => entities);
  const row = (first: string, rest: readonly string[]): string =>
    `| ${[first, ...rest].join(' | ')} |`;
  return distinct(({ request }) => request).flatMap(request => [
    '',
    row(
      request,
      sizes.map(size => size.toLocaleString('en-US')),
    ),
    row(
      '---',
      sizes.map(() => '--:'),
    ),
    ...distinct(({ decision }) => decision).map(decision =>
      row(
        decision,
        sizes.map(size => {
          const cell = cells.find(
            each =>
              each.entities === size &&
              each.decision === decision &&
              each.request === request,
          );
          return `${cell!.milliseconds.toFixed(0)} ms`;
        }),
      ),
    ),
  ]);
}
