import { deepFrozen } from '../../src/lib/deep-frozen';

it('nothing in a frozen value can be changed', () => {
  const value = deepFrozen({ list: [{ text: 'a' }], none: null, number: 1 });
  expect(value).toEqual({ list: [{ text: 'a' }], none: null, number: 1 });
  for (const each of [value, value.list, value.list[0]])
    expect(Object.isFrozen(each)).toBe(true);
});

it.each([undefined, null, 'text', 1, true])('%p stays as it is', value => {
  expect(deepFrozen(value)).toBe(value);
});
