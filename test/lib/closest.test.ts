import { closest } from '../../src/lib/closest';

it.each([
  ['olvia', ['guest', 'olivia'], 'olivia'],
  ['Olivia', ['olivia'], 'olivia'],
  ['web-site', ['website'], 'website'],
  ['ab', ['ac', 'abc'], 'ac'],
  ['ab', ['cd'], undefined],
  ['olivia', [], undefined],
  ['olivia', ['sam', 'oliver-stone'], undefined],
  ['a'.repeat(101), ['a'.repeat(101)], undefined],
])('of %j among %j: %j', (misspelt, names, expected) => {
  expect(closest(misspelt, names)).toBe(expected);
});
