import { isJsonObject } from '../../src/lib/json-object';

it.each<[what: string, value: unknown, expected: boolean]>([
  ['an object', { a: 1 }, true],
  ['an empty object', {}, true],
  ['an object without a prototype', Object.create(null), true],
  ['a list', [], false],
  ['null', null, false],
  ['undefined', undefined, false],
  ['a string', 'text', false],
  ['a number', 1, false],
  ['a boolean', true, false],
  ['a function', () => ({}), false],
])('%s: %j is %s', (_what, value, expected) => {
  expect(isJsonObject(value)).toBe(expected);
});
