import { cut, someNames, someOf } from '../../src/lib/bounded';

describe('cut', () => {
  it.each([
    ['keeps a short text', 'abc', 3, 'abc'],
    ['cuts a longer one, `…` included', 'abcd', 3, 'ab…'],
    ['does not halve a character', 'a\u{1F600}bc', 3, 'a…'],
    ['keeps a whole character', 'a\u{1F600}bc', 4, 'a\u{1F600}…'],
  ])('%s', (_rule, text, most, expected) => {
    expect(cut(text, most)).toBe(expected);
  });

  it('leaves 100 characters by default', () => {
    expect(cut('x'.repeat(100))).toHaveLength(100);
    expect(cut('x'.repeat(101))).toBe(`${'x'.repeat(99)}…`);
  });
});

describe('someOf', () => {
  const letters = [...'abcdefghijkl'];

  it.each([
    ['names all of a few', someOf(['a', 'b']), 'a, b'],
    ['names ten', someOf(letters.slice(0, 10)), 'a, b, c, d, e, f, g, h, i, j'],
    ['counts the rest', someOf(letters), 'a, b, c, d, e, f, g, h, i, j and 2 more'],
    ['names as many as it is asked to', someOf(letters, 12, 2), 'a, b and 10 more'],
    ['counts what it is not given', someOf(['a'], 1000), 'a and 999 more'],
    ['says nothing of nothing', someOf([]), ''],
  ])('%s', (_rule, said, expected) => {
    expect(said).toBe(expected);
  });

  it('of names puts each in quotes, and cuts it', () => {
    expect(someNames(['a', 'b'])).toBe("'a', 'b'");
    expect(someNames(['x'.repeat(1000)])).toBe(`'${'x'.repeat(99)}…'`);
    expect(someNames(letters)).toMatch(/^'a', .*'j' and 2 more$/);
    expect(someNames(['a'], 5)).toBe("'a' and 4 more");
  });
});
