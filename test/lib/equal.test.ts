import { equal } from '../../src/lib/equal';
import { Slices } from '../../src/lib/slices';
import { countTurns } from '../support/turns';

const isEqual = (value: unknown, known: unknown): Promise<boolean> =>
  equal(value, known, new Slices());

const map = (...entries: Array<[unknown, unknown]>): Map<unknown, unknown> =>
  new Map(entries);

it.each<[what: string, one: unknown, other: unknown]>([
  ['primitive values', 'a', 'a'],
  ['null', null, null],
  ['lists', [1, [2, 'a']], [1, [2, 'a']]],
  ['keys in another order', { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
  [
    'keys in another order inside a map',
    map(['x', { a: 1, b: 2 }]),
    map(['x', { b: 2, a: 1 }]),
  ],
  ['a missing key and one that is undefined', { a: 1 }, { a: 1, b: undefined }],
  ['objects without a prototype', Object.create(null), {}],
  [
    'keys like members of objects',
    JSON.parse('{ "__proto__": 1, "constructor": 2 }'),
    JSON.parse('{ "constructor": 2, "__proto__": 1 }'),
  ],
])('is true for %s', async (_what, one, other) => {
  expect(await isEqual(one, other)).toBe(true);
  expect(await isEqual(other, one)).toBe(true);
});

it.each<[what: string, one: unknown, other: unknown]>([
  ['another value', { a: 1 }, { a: 2 }],
  ['a number and its text', { a: 1 }, { a: '1' }],
  ['a missing key', { a: 1 }, { a: 1, b: 2 }],
  ['another key', { a: 1 }, { b: 1 }],
  ['a key and value in each other', { a: 'b' }, { b: 'a' }],
  ['null and an object', null, {}],
  ['null and undefined', null, undefined],
  ['a list and an object', [], {}],
  ['a list and a map', [], map()],
  ['a map and an object', map(), {}],
  ['items in another order', [1, 2], [2, 1]],
  ['a longer list', [1, 2], [1, 2, 3]],
  ['nested lists', [[1], 2], [1, [2]]],
  ['maps with other values', map(['x', 1]), map(['x', 2])],
  ['maps with other keys', map(['x', 1]), map(['y', 1])],
  ['maps in another order', map(['x', 1], ['y', 1]), map(['y', 1], ['x', 1])],
  ['what is no config', new Date(0), new Date(0)],
  ['what is no config inside', { a: new Set([1]) }, { a: new Set([1]) }],
])('is false for %s', async (_what, one, other) => {
  expect(await isEqual(one, other)).toBe(false);
  expect(await isEqual(other, one)).toBe(false);
});

it('is false for what is circular, and an end is found', async () => {
  const circular: { a?: unknown } = {};
  circular.a = circular;
  expect(await isEqual(circular, { a: { a: { a: {} } } })).toBe(false);
});

it('takes any depth', async () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 'end';
    for (let level = 0; level < depth; level++) value = [value];
    return value;
  };
  expect(await isEqual(nested(100_000), nested(100_000))).toBe(true);
  expect(await isEqual(nested(100_000), nested(99_999))).toBe(false);
});

it('lets others run in between', async () => {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now++);
  const turns = countTurns();
  await isEqual(Array(1000).fill({ a: 1 }), Array(1000).fill({ a: 1 }));
  expect(turns.stop()).toBeGreaterThan(50);
  jest.restoreAllMocks();
});
