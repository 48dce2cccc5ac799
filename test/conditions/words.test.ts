import { inWords } from '../../src/conditions/words';
import { all, any, not, rule } from '../fixtures/builders';
import type { Conditions } from '../../src/verdict';

const [A, B, C] = [rule('A'), rule('B'), rule('C')];

const claims = (...refs: string[]): Conditions =>
  rule('IS_ENTITY_OWNER', { params: { claims: refs } });

const withParams = (params: object): Conditions =>
  rule('R', { params: params as never });

/** Groups of one, one in the other. */
const nested = (depth: number, wrap: (inner: Conditions) => Conditions): Conditions => {
  let node = A;
  for (let level = 0; level < depth; level++) node = wrap(node);
  return node;
};

describe('conditions in words', () => {
  it.each<[words: string, conditions: Conditions]>([
    ['A', A],
    ['A and B', all(A, B)],
    ['A or B', any(A, B)],
    ['not A', not(A)],
    ['not not A', not(not(A))],
    ['not (A and B)', not(all(A, B))],
    ['not A and B', all(not(A), B)],
    ['A and (B or C)', all(A, any(B, C))],
    ['(A and B) or C', any(all(A, B), C)],
    ['A and B and C', all(A, all(B, C))],
    ['A or B or C', any(any(A, B), C)],
    ['not (A or (B and C))', not(any(A, all(B, C)))],
    ['A', all(any(all(A)))],
    ['A and B', any(all(A, any(B)))],
    ['not A', not(all(A))],
    [
      'IS_ENTITY_OWNER claims [group:default/search] and not HAS_ANNOTATION annotation example.com/protected',
      all(
        claims('group:default/search'),
        not(
          rule('HAS_ANNOTATION', { params: { annotation: 'example.com/protected' } }),
        ),
      ),
    ],
  ])('%s', (words, conditions) => {
    expect(inWords(conditions)).toBe(words);
  });

  it.each<[words: string, params: object]>([
    ['R', {}],
    ['R key a, value b', { key: 'a', value: 'b' }],
    ['R n 1.5, yes true, none null', { n: 1.5, yes: true, none: null }],
    ['R n "1.5", yes "true", none "null"', { n: '1.5', yes: 'true', none: 'null' }],
    ['R x "a and b", y "not", z ""', { x: 'a and b', y: 'not', z: '' }],
    ['R "and" []', { and: [] }],
    ['R x {a: [b], "c d": {e: f}}', { x: { a: ['b'], 'c d': { e: 'f' } } }],
    ['R x [[[[…]], {a: {…}}]]', { x: [[[[]], { a: { b: 1 } }]] }],
    [
      'R a 1, b 1, c 1, d 1, e 1 and 2 more',
      { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1 },
    ],
  ])('have the parameters of a rule: %s', (words, params) => {
    expect(inWords(withParams(params))).toBe(words);
  });

  it('have the first ones of long lists', () => {
    const refs = (count: number, length: number): string[] =>
      Array.from({ length: count }, (_, index) => `r${index}`.padEnd(length, 'x'));
    expect(inWords(claims(...refs(12, 0)))).toBe(
      'IS_ENTITY_OWNER claims [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 and 2 more]',
    );
    expect(inWords(claims(...refs(500, 80)))).toMatch(
      /^.* claims \[r0x+, r1x+ and 498 more\]$/,
    );
  });

  it('are one line of visible characters', () => {
    const hidden = 'a\u202eb\nc\u0000';
    expect(inWords(rule(hidden, { params: { [hidden]: [hidden] } }))).toBe(
      '"a\\u202eb\\nc\\u0000" "a\\u202eb\\nc\\u0000" ["a\\u202eb\\nc\\u0000"]',
    );
  });

  it('end with … where they are too long', () => {
    const long = any(...Array.from({ length: 100 }, () => A));
    expect(inWords(long, 20)).toBe('A or A or A or A or…');
    expect(inWords(long)).toHaveLength(300);
    expect(inWords(rule('A'), 1)).toBe('A');
  });
});

describe('of huge conditions only so much is looked at as is shown', () => {
  it('of many children', () => {
    let looked = 0;
    const counted = new Proxy(A, {
      has: (node, key) => {
        looked++;
        return key in node;
      },
    });
    inWords(any(...Array.from({ length: 80_000 }, () => counted)));
    expect(looked).toBeLessThan(2000);
  });

  it('of groups of one, which add no words', () => {
    const lonely = nested(10_000, inner => all(inner));
    expect(inWords(lonely)).toBe('…');
    expect(inWords(any(B, lonely, C))).toBe('B or …');
    expect(inWords(nested(200, inner => any(inner)))).toBe('A');
  });

  it('of conditions deeper than any that pass the checks', () => {
    expect(inWords(nested(10_000, not), 100_000)).toBe(`${'not '.repeat(200)}…`);
    const alternating = (inner: Conditions): Conditions => not(all(inner, B));
    expect(inWords(nested(10_000, alternating), 100_000)).toContain('…');
  });
});
