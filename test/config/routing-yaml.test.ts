/** What YAML a routing file may have, and that hostile text is refused cheaply where it can be. */
import { routingYamlToJson } from '../../src/config/routing-yaml';

const parsed = (text: string): unknown => JSON.parse(routingYamlToJson(text));

/** Nine lists of nine of the list before: 9^9 words. */
const bomb = Array.from(
  { length: 9 },
  (_, level) =>
    `a${level}: &a${level} [${Array(9)
      .fill(level === 0 ? 'x' : `*a${level - 1}`)
      .join(', ')}]`,
).join('\n');

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

describe('a routing file is', () => {
  it.each<[what: string, text: string, value: unknown]>([
    ['one document', 'fallback: deny', { fallback: 'deny' }],
    ['one with a start and an end', '---\na: 1\n...\n# end\n', { a: 1 }],
    ['one with a directive', '%YAML 1.2\n---\na: 1', { a: 1 }],
    ['empty', '', null],
    ['one that begins with a byte order mark', '\ufeffa: 1', { a: 1 }],
    ['one with other line ends', 'a: 1\r\nb: 2\r\n', { a: 1, b: 2 }],
    ['one with aliases', 'a: &x [opa]\nb: *x', { a: ['opa'], b: ['opa'] }],
    ['one with keys that look like numbers', '1: a\ntrue: b', { 1: 'a', true: 'b' }],
    [
      'one whose texts look like tags, anchors and brackets',
      `a: '!x [{'\nb: "&x"\nc: |\n  !x [[[ *x\nd: x!y\n# !x`,
      { a: '!x [{', b: '&x', c: '!x [[[ *x\n', d: 'x!y' },
    ],
    ['one with a quoted key', `'<<': 1`, { '<<': 1 }],
    ['one with a block of text that is a bracket', 'a: |\n  [', { a: '[\n' }],
  ])('%s', (_what, text, value) => {
    expect(parsed(text)).toEqual(value);
  });

  it('as deep as the limit; brackets in texts do not count', () => {
    const text = `a: ${'['.repeat(64)}"${'['.repeat(100)}"${']'.repeat(64)}`;
    expect(routingYamlToJson(text)).toMatch(/"\[{100}"\]{64}\}$/);
  });

  it('one with a thousand anchors and aliases', () => {
    const list = lines(500, index => `- &a${index} x\n- *a${index}`);
    expect(parsed(list)).toEqual(Array(1000).fill('x'));
  });

  it('a table that fills the largest file', () => {
    const routes = lines(32_000, index => `- {prefix: a${index},sources: [x]}`);
    expect(routes.length / 2 ** 20).toBeGreaterThan(0.95);
    expect(parsed(routes)).toHaveLength(32_000);
  });
});

describe('a routing file is refused if it', () => {
  it.each<[what: string, text: string, message: string]>([
    ['grows by aliases', bomb, 'Excessive alias count'],
    [
      'repeats a long list',
      `a: &a [${'xxx,'.repeat(30_000)}]\nb: [${'*a,'.repeat(99)}]`,
      'has too many values, counting those that aliases repeat',
    ],
    [
      'repeats a long text',
      `a: &a ${'x'.repeat(30_000)}\nb: [${'*a,'.repeat(99)}]`,
      'has too many values, counting those that aliases repeat',
    ],
    [
      'contains itself',
      'a: &a { b: *a }',
      'has too many values, counting those that aliases repeat',
    ],
    [
      'is more values than any table',
      `[${'a,'.repeat(300_000)}]`,
      'has more than 524288 words and marks',
    ],
    [
      'is nothing but brackets',
      `[${'[],'.repeat(300_000)}]`,
      'has more than 524288 words and marks',
    ],
    ['has no such anchor', 'a: *x', 'Unresolved alias'],
    [
      'has no such anchor, of a long name',
      `a: *${'x'.repeat(100_000)}`,
      'Unresolved alias',
    ],
    [
      'has many anchors and aliases',
      lines(40_000, index => `- &a${index} x\n- *a${index}`),
      'has more than 1000 anchors and aliases',
    ],
    [
      'repeats a key',
      'fallback: deny\nfallback: allow',
      'Map keys must be unique at line 2, column 1',
    ],
    ['repeats a key in one line', '{a: 1, b: 2, a: 3}', 'line 1, column 14'],
    ['repeats a key in other words', `1: a\n"1": b`, 'line 2, column 1'],
    ['repeats a key that is empty', `: a\n'': b`, 'line 2, column 1'],
    [
      'repeats a key behind an alias',
      '{ &k prefix: a, *k : b }',
      'a key must be written out: it cannot be an alias, a list or a map at line 1, column 17',
    ],
    ['has a list as a key', '? [a]\n: b', 'a key must be written out'],
    ['has a map as a key', '{ { a: b }: c }', 'a key must be written out'],
    [
      'has two documents',
      'fallback: deny\n---\nfallback: allow',
      "has a second YAML document after '---'; a routing file is only one at line 2, column 1",
    ],
    [
      'has a merge key',
      'routes:\n  - &a { prefix: a }\n  - <<: *a\n    sources: [opa]',
      'has a merge key (<<), which is not supported: write the keys out at line 3, column 5',
    ],
    [
      'has two merge keys',
      'a: { <<: {}, <<: {} }',
      'has a merge key (<<), which is not supported: write the keys out at line 1, column 6',
    ],
    [
      'has code',
      'fallback: !!js/function "() => 1"\nroutes: []',
      'has a tag at line 1, column 11; a routing table needs none',
    ],
    ['has a tag in a list', 'a: [ "!", !x y ]', 'has a tag at line 1, column 11'],
    [
      'has a tag after a document mark',
      '--- !x\na: b',
      'has a tag at line 1, column 5',
    ],
    [
      'is not YAML',
      'a: b\nc: d: e',
      'Nested mappings are not allowed in compact mappings at line 2, column 4',
    ],
    [
      'opens brackets without end',
      `a: ${'['.repeat(200_000)}`,
      'deeper than 64 levels',
    ],
    [
      'opens braces without end',
      `a: ${'{b: '.repeat(200_000)}`,
      'deeper than 64 levels',
    ],
    [
      'hides that with brackets in texts',
      `a: ${'["]", '.repeat(65)}`,
      'deeper than 64 levels',
    ],
    ['is lists of lists', `${'- '.repeat(65)}a`, 'deeper than 64 levels'],
    [
      'goes down line by line',
      lines(1000, level => `${' '.repeat(level)}-`),
      'deeper than 64 levels',
    ],
  ])('%s', (_what, text, message) => {
    let problem = 'none';
    try {
      routingYamlToJson(text);
    } catch (error) {
      problem = (error as Error).message;
    }
    expect(problem).toContain(message);
    // One line of bounded length.
    expect(problem).toMatch(/^.{1,300}$/);
  });
});

/** Each took seconds to minutes, or more memory than there is, when keys and errors were compared with all others. */
describe('a file that was slow is not slow any more:', () => {
  it.each<[what: string, text: string]>([
    ['a map of 40,000 keys', lines(40_000, index => `k${index}: 1`)],
    [
      'a map of 40,000 keys in one line',
      `{${lines(40_000, index => `k${index}: 1,`)}}`,
    ],
    ['100,000 errors in one line', `a: "${'\\q'.repeat(100_000)}"`],
    ['300,000 tags', `a: [${'!x '.repeat(300_000)}]`],
  ])('%s', (_what, text) => {
    // Fails by the test's limit.
    try {
      routingYamlToJson(text);
    } catch (error) {
      expect((error as Error).message).toMatch(/^.{1,300}$/);
    }
  });
});
