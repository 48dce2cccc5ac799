import { canonical } from '../../src/lib/canonical';

it.each<[what: string, one: unknown, other: unknown]>([
  ['keys in another order', { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
  ['keys in another order inside a list', [{ a: 1, b: 2 }], [{ b: 2, a: 1 }]],
  [
    'keys in another order inside a map',
    new Map([['x', { a: 1, b: 2 }]]),
    new Map([['x', { b: 2, a: 1 }]]),
  ],
  ['a missing key and one that is undefined', { a: 1 }, { a: 1, b: undefined }],
])('is equal for %s', (_what, one, other) => {
  expect(canonical(one)).toBe(canonical(other));
});

it.each<[what: string, one: unknown, other: unknown]>([
  ['another value', { a: 1 }, { a: 2 }],
  ['a number and its text', { a: 1 }, { a: '1' }],
  ['a missing key', { a: 1 }, { a: 1, b: 2 }],
  ['items in another order', [1, 2], [2, 1]],
  ['maps with other values', new Map([['x', 1]]), new Map([['x', 2]])],
  ['maps with other keys', new Map([['x', 1]]), new Map([['y', 1]])],
  // The sources of the config are a map: they are asked in the order in which routes name them.
  [
    'maps in another order',
    new Map([
      ['x', 1],
      ['y', 1],
    ]),
    new Map([
      ['y', 1],
      ['x', 1],
    ]),
  ],
])('differs for %s', (_what, one, other) => {
  expect(canonical(one)).not.toBe(canonical(other));
});

it('is text for undefined too', () => {
  expect(canonical(undefined)).toBe('');
});
