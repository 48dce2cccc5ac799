import { formatPrefix, parsePrefix } from '../../src/routing/prefix';

describe('parsePrefix', () => {
  it.each([
    [
      'segments are split at dots',
      'catalog.entity.read',
      ['catalog', 'entity', 'read'],
    ],
    ['one segment is a prefix', 'catalog', ['catalog']],
    ["a trailing '.' changes nothing", 'catalog.entity.', ['catalog', 'entity']],
    ["a trailing '.*' changes nothing", 'catalog.entity.*', ['catalog', 'entity']],
    ['the empty prefix matches everything', '', []],
    ["'*' matches everything", '*', []],
    ['letter case is kept', 'Catalog.Entity', ['Catalog', 'Entity']],
    [
      'a name of an object member is a segment',
      '__proto__.constructor',
      ['__proto__', 'constructor'],
    ],
    ['hyphens, underscores and digits are kept', 'a-b_c.2', ['a-b_c', '2']],
    ['Backstage restricts no names: a slash is kept', 'plugin/x', ['plugin/x']],
    ['… and letters outside ASCII', 'catalog.übersicht', ['catalog', 'übersicht']],
    ['256 characters are allowed', 'a'.repeat(256), ['a'.repeat(256)]],
  ])('%s', (_rule, prefix, segments) => {
    expect(parsePrefix(prefix)).toEqual(segments);
  });

  it.each([
    [
      '257 characters match no permission',
      'a'.repeat(257),
      'is longer than 256 characters',
    ],
    ['a megabyte is refused', 'a.'.repeat(500_000), 'is longer than 256 characters'],
    ['a lone dot is an empty segment', '.', 'has an empty segment'],
    ["a lone '.*' is an empty segment", '.*', 'has an empty segment'],
    ['a leading dot is an empty segment', '.catalog', 'has an empty segment'],
    ['two dots hold an empty segment', 'catalog..entity', 'has an empty segment'],
    ['two trailing dots hold an empty segment', 'catalog..', 'has an empty segment'],
    [
      "a '*' in the middle is refused",
      'catalog.*.read',
      "has a '*' that is not its last segment",
    ],
    [
      "a '*' within a segment is refused",
      'catalog.ent*',
      "has a '*' that is not its last segment",
    ],
    [
      "a '*' without a dot before it is refused",
      'catalog*',
      "has a '*' that is not its last segment",
    ],
    ['two stars are refused', '**', "has a '*' that is not its last segment"],
    ['a space is refused', 'catalog entity', 'contains " "'],
    ['a lone space is refused', ' ', 'contains " "'],
    ['a line break is refused', 'catalog\n', 'contains "\\n"'],
    ['a no-break space is refused', 'catalog\u00a0', 'contains "\u00a0"'],
    ['a comma is refused', 'catalog,scaffolder', 'contains ","'],
    ['an invisible character is refused', 'catalog\u200b', 'contains "\u200b"'],
  ])('%s', (_rule, prefix, message) => {
    expect(() => parsePrefix(prefix)).toThrow(message);
  });
});

describe('formatPrefix', () => {
  it.each([
    ['', '*'],
    ['*', '*'],
    ['catalog', 'catalog'],
    ['catalog.', 'catalog'],
    ['catalog.entity.*', 'catalog.entity'],
  ])("writes '%s' as '%s'", (given, formatted) => {
    expect(formatPrefix(parsePrefix(given))).toBe(formatted);
  });

  it.each(['*', 'catalog', 'catalog.entity'])(
    "'%s' is read back as the same",
    prefix => {
      expect(formatPrefix(parsePrefix(prefix))).toBe(prefix);
    },
  );
});
