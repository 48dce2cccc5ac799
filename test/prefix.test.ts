import {
  formatPattern,
  matchesName,
  parseName,
  parsePrefix,
  textOf,
} from '../src/prefix';

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
    ['… also several', 'a/b.c//d', ['a/b', 'c//d']],
    ["… also before a trailing '.*'", 'cost/.*', ['cost/']],
    ['… and letters outside ASCII', 'catalog.übersicht', ['catalog', 'übersicht']],
    ['256 characters are allowed', 'a'.repeat(256), ['a'.repeat(256)]],
  ])('%s', (_rule, prefix, segments) => {
    expect(parsePrefix(prefix)).toStrictEqual({ segments });
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

describe('parsePrefix, of a prefix that ends in a slash,', () => {
  it.each([
    ['keeps the parts between slashes', 'ros/a/', ['ros', 'a']],
    ['has one part', 'cost/', ['cost']],
    ['keeps dots in a part: they separate nothing', 'a.b/c./.d/', ['a.b', 'c.', '.d']],
    [
      'allows spaces in a part',
      'ros/Openshift on Azure/',
      ['ros', 'Openshift on Azure'],
    ],
    ['allows empty parts', 'a//', ['a', '']],
    ['may be nothing else', '/', ['']],
    ['allows 256 characters', `${'a'.repeat(255)}/`, ['a'.repeat(255)]],
  ])('%s', (_rule, prefix, segments) => {
    expect(parsePrefix(prefix)).toStrictEqual({ segments, kind: 'start' });
    expect(textOf(parsePrefix(prefix))).toBe(prefix);
  });

  it.each([
    [
      'has at most 256 characters',
      `${'a'.repeat(256)}/`,
      'is longer than 256 characters',
    ],
    ["has no '*'", 'ros/*/', "has a '*'; a prefix is not a pattern"],
    [
      'has no comma',
      'ros/,cost/',
      'contains ","; a prefix that ends in \'/\' may contain spaces',
    ],
    ['does not begin with a space', ' ros/', 'contains " "'],
    ['does not end with a space behind the slash', 'ros/ ', 'contains " "'],
    ['has no line break', 'ros\n/', 'contains "\\n"'],
    ['has no no-break space', 'ros/a\u00a0b/', 'contains "\u00a0"'],
    ['has no invisible character', 'ros\u200b/', 'contains "\u200b"'],
  ])('%s', (_rule, prefix, message) => {
    expect(() => parsePrefix(prefix)).toThrow(message);
  });
});

describe('parsePrefix says how to reach odd names:', () => {
  it.each([
    [
      'a space',
      'ros/Openshift on Azure/mobile',
      `contains " "; a prefix is words joined by '.', or ends in '/'; for one exact name write 'name' in place of 'prefix'`,
    ],
    [
      "'*' behind a slash",
      'ros/*',
      "has a '*' that is not its last segment; a prefix is not a pattern; without the '*' it matches the names that begin with it",
    ],
    [
      "another '*'",
      'ros*/*',
      "has a '*' that is not its last segment; a prefix is not a pattern",
    ],
    [
      "'*' behind a word",
      'ros*',
      "has a '*' that is not its last segment; a prefix is not a pattern",
    ],
  ])('%s', (_what, prefix, message) => {
    expect(() => parsePrefix(prefix)).toThrow(new Error(message));
  });
});

describe('parseName', () => {
  it.each([
    'catalog.entity.read',
    'ros/Openshift on Azure/mobile',
    'a.',
    'a.*',
    '*',
    'a..b, c\n',
    ' ',
    'n'.repeat(256),
  ])('takes %j as it is', name => {
    expect(parseName(name)).toStrictEqual({ segments: [name], kind: 'name' });
    expect(textOf(parseName(name))).toBe(name);
  });

  it.each([
    ['', 'is empty; write the name of a permission'],
    ['n'.repeat(257), 'is longer than 256 characters, so no permission can match it'],
  ])('refuses %j', (name, message) => {
    expect(() => parseName(name)).toThrow(new Error(message));
  });
});

describe('matchesName', () => {
  it.each([
    [parsePrefix(''), ['', 'a', '/', '.'], []],
    [
      parsePrefix('a.b'),
      ['a.b', 'a.b.', 'a.b.c'],
      ['a', 'a.', 'a.bc', 'a.b/c', 'x.a.b'],
    ],
    [parsePrefix('a/b'), ['a/b', 'a/b.c'], ['a/b/c', 'a/bc', 'a']],
    [parsePrefix('a/'), ['a/', 'a/b', 'a//', 'a/.b'], ['a', 'a.', 'b/a/', 'A/b']],
    [parsePrefix('a/.*'), ['a/', 'a/.b'], ['a/b', 'a']],
    [parseName('a/b c'), ['a/b c'], ['a/b c.', 'a/b c/', 'a/b', '']],
    [parseName('a.*'), ['a.*'], ['a', 'a.b', 'a.']],
  ])('%j', (pattern, fitting, others) => {
    expect(fitting.filter(name => !matchesName(pattern, name))).toEqual([]);
    expect(others.filter(name => matchesName(pattern, name))).toEqual([]);
  });
});

describe('formatPattern', () => {
  it.each([
    ['', '*'],
    ['*', '*'],
    ['catalog', 'catalog'],
    ['catalog.', 'catalog'],
    ['catalog.entity.*', 'catalog.entity'],
    ['cost/a b/', 'cost/a b/'],
    ['cost/.', 'cost/.*'],
  ])("writes '%s' as '%s'", (given, formatted) => {
    expect(formatPattern(parsePrefix(given))).toBe(formatted);
  });

  it.each(['*', 'catalog', 'catalog.entity', 'cost/', 'cost/.*'])(
    "'%s' is read back as the same",
    prefix => {
      expect(formatPattern(parsePrefix(prefix))).toBe(prefix);
    },
  );

  it('writes a name in one line', () => {
    expect(formatPattern(parseName('a.\n\u202eb'))).toBe('a.\\u000a\\u202eb');
  });
});
