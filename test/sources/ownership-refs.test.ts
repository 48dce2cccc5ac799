import { normalizeRef, ownershipRefs } from '../../src/sources/ownership-refs';

it('refs are as they are and in lower case, each of them once', () => {
  const principal = {
    ownershipEntityRefs: ['group:default/a', 'User:default/B', 'group:default/a'],
  };
  const refs = ownershipRefs(principal);
  expect(refs).toEqual(['group:default/a', 'User:default/B', 'user:default/b']);
  expect(ownershipRefs(principal)).toBe(refs);
  expect(Object.isFrozen(refs)).toBe(true);
});

it('lower case is that of the catalog, for every character', () => {
  for (let first = 0; first <= 0x10ffff; first += 256) {
    const codes = Array.from({ length: 256 }, (_, index) => first + index);
    const ref = codes.map(code => `A${String.fromCodePoint(code)}B`).join('');
    expect(normalizeRef(ref)).toBe(ref.toLocaleLowerCase('en-US'));
  }
});
