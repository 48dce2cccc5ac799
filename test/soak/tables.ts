/** Routing files of an unusual size: valid ones, and ones that must change nothing. */
import type { Random } from './random';
import { routingFile, type TableName } from './world';

const ROUTES = { low: 2000, high: 10_000 };
const MISTAKES = 5000;

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');

/** Routes of other plugins, which decide nothing that is asked. */
const OTHER_ROUTES: ReadonlyArray<(index: number) => string> = [
  index => `  - { prefix: other-${index % 50}.thing-${index}, sources: [allow] }`,
  // Each is worth a warning.
  index => `  - { prefix: other.thing-${index}, actions: [read], sources: [allow] }`,
  index => `  - { prefix: other, resourceTypes: [type-${index}], sources: [allow] }`,
];

/** A table with thousands of routes that decides as the small one of this name does. */
export function bigTable(name: TableName, random: Random): string {
  const count = Math.round(random.between(ROUTES.low, ROUTES.high));
  return routingFile(name) + lines(count, random.pick(OTHER_ROUTES));
}

const HEAD = 'fallback: allow\nroutes:\n';

/** Big and invalid, some of them made to keep the parser busy. */
export const BIG_INVALID_FILES: ReadonlyArray<() => string> = [
  // Copies of one route.
  () => HEAD + lines(MISTAKES, () => '  - { prefix: closed, sources: [allow] }'),
  // Sources that nobody knows.
  () =>
    HEAD +
    lines(MISTAKES, index => `  - { prefix: other.thing-${index}, sources: [gone] }`),
  // Aliases.
  () =>
    `${HEAD}  - &a { prefix: closed, sources: [allow] }\n${lines(MISTAKES, () => '  - *a')}`,
  // Keys of one map.
  () => `fallback: allow\n${lines(MISTAKES, index => `key-${index}: {}`)}`,
  // Tags.
  () => HEAD + lines(MISTAKES, () => '  - !x'),
];
