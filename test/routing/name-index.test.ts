import { NameIndex } from '../../src/routing/name-index';
import { parseName, parsePrefix, type NamePattern } from '../../src/prefix';

/** An index of values that are the patterns as they are written here. */
function indexOf(...written: string[]): NameIndex<{ is?: string }> {
  const index = new NameIndex<{ is?: string }>(() => ({}));
  for (const each of written) index.at(patternOf(each)).is = each;
  return index;
}

const patternOf = (written: string): NamePattern =>
  written.startsWith('= ') ? parseName(written.slice(2)) : parsePrefix(written);

const ALL = ['', 'a', 'a/', 'a/.*', 'a/b', 'a/b/', 'a/b.c', '= a/b.c', '= a/', 'b/'];

describe('matching', () => {
  it.each([
    ['a/b.c', ['= a/b.c', 'a/b.c', 'a/b', 'a/', ''], [Infinity, 5, 3, 2, 0]],
    ['a/b.c.d', ['a/b.c', 'a/b', 'a/', ''], [5, 3, 2, 0]],
    ['a/b/x', ['a/b/', 'a/', ''], [4, 2, 0]],
    ['a/', ['= a/', 'a/.*', 'a/', ''], [Infinity, 2, 2, 0]],
    ['a.x', ['a', ''], [1, 0]],
    ['c', [''], [0]],
    ['', [''], [0]],
  ])('%j, longest first', (name, values, lengths) => {
    for (const written of [ALL, [...ALL].reverse()]) {
      const matches = indexOf(...written).matching(name);
      expect(matches.map(({ value }) => value.is)).toEqual(values);
      expect(matches.map(({ length }) => length)).toEqual(lengths);
    }
  });

  it('nothing in an empty index', () => {
    expect(indexOf().matching('a/b.c')).toEqual([]);
  });

  it('nothing that a pattern only passes', () => {
    expect(indexOf('a.b.c', 'x/y/z/').matching('a.b')).toEqual([]);
    expect(indexOf('a.b.c', 'x/y/z/').matching('x/y/')).toEqual([]);
  });
});

describe('at', () => {
  it('creates one value for each pattern', () => {
    const create = jest.fn(() => ({}));
    const index = new NameIndex(create);
    const values = ALL.map(each => index.at(patternOf(each)));
    expect(new Set(values).size).toBe(ALL.length);
    expect(ALL.map(each => index.at(patternOf(each)))).toEqual(values);
    expect(create).toHaveBeenCalledTimes(ALL.length);
  });
});
