import { allOf, anyOf, childrenOf } from '../../src/combining/criteria';
import { all, any, not, renderCriteria, rule } from '../fixtures/builders';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => rule(name)) as [
  ReturnType<typeof rule>,
  ReturnType<typeof rule>,
  ReturnType<typeof rule>,
  ReturnType<typeof rule>,
];

/* Every law has its dual: swap allOf and anyOf on both sides. */
describe('allOf', () => {
  it.each([
    ['joins', [a, b], 'allOf(a, b)'],
    ['of one is that one', [a], 'a'],
    ['of allOf is flat', [all(a, all(b, c)), d], 'allOf(a, b, c, d)'],
    ['drops duplicates, the first stays', [a, b, a], 'allOf(a, b)'],
    ['of equals is one of them', [a, a, a], 'a'],
    ['absorbs: A ∧ (A ∨ B) = A', [any(a, b), a], 'a'],
    [
      'absorbs: (A ∨ B) ∧ (A ∨ B ∨ C) = A ∨ B',
      [any(c, a, b), any(b, a)],
      'anyOf(b, a)',
    ],
    [
      'knows the order of alternatives does not matter',
      [any(a, b), any(b, a)],
      'anyOf(a, b)',
    ],
    [
      'keeps what is not absorbed',
      [any(a, b), any(b, c), d],
      'allOf(anyOf(a, b), anyOf(b, c), d)',
    ],
    ['simplifies within its children', [any(a, all(b, b)), c], 'allOf(anyOf(a, b), c)'],
    [
      'flattens what simplifying uncovers',
      [any(all(a, b), all(b, a)), c],
      'allOf(a, b, c)',
    ],
    ['simplifies below a not', [not(all(a, a)), b], 'allOf(not(a), b)'],
    ['keeps a contradiction', [a, not(a)], 'allOf(a, not(a))'],
    ['unwraps a group of one', [any(a), all(b)], 'allOf(a, b)'],
  ])('%s', (_law, criteria, expected) => {
    expect(renderCriteria(allOf(criteria))).toBe(expected);
  });
});

describe('anyOf', () => {
  it.each([
    ['joins', [a, b], 'anyOf(a, b)'],
    ['of one is that one', [a], 'a'],
    ['of anyOf is flat', [any(a, any(b, c)), d], 'anyOf(a, b, c, d)'],
    ['drops duplicates, the first stays', [a, b, a], 'anyOf(a, b)'],
    ['of equals is one of them', [a, a, a], 'a'],
    ['absorbs: A ∨ (A ∧ B) = A', [all(a, b), a], 'a'],
    [
      'absorbs: (A ∧ B) ∨ (A ∧ B ∧ C) = A ∧ B',
      [all(c, a, b), all(b, a)],
      'allOf(b, a)',
    ],
    [
      'keeps what is not absorbed',
      [all(a, b), all(b, c), d],
      'anyOf(allOf(a, b), allOf(b, c), d)',
    ],
    ['never folds a tautology to ALLOW', [a, not(a)], 'anyOf(a, not(a))'],
    ['keeps a double negation', [not(not(a)), b], 'anyOf(not(not(a)), b)'],
  ])('%s', (_law, criteria, expected) => {
    expect(renderCriteria(anyOf(criteria))).toBe(expected);
  });
});

describe.each([
  ['allOf', allOf],
  ['anyOf', anyOf],
])('%s', (_name, join) => {
  it('is never empty: an empty group has no meaning in Backstage', () => {
    expect(() => join([])).toThrow('has no meaning in Backstage');
    expect(() => join([all()])).toThrow('has no meaning in Backstage');
    expect(() => join([a, not(any())])).toThrow('has no meaning in Backstage');
  });

  it('holds conditions equal whose parameters are equal, whatever the order of keys', () => {
    const one = rule('a', { params: { x: 1, y: ['p', 'q'] } });
    const same = rule('a', { params: { y: ['p', 'q'], x: 1 } });
    expect(join([one, same])).toBe(one);
  });

  it.each([
    ['parameters', rule('a', { params: { x: 1 } }), rule('a', { params: { x: '1' } })],
    [
      'the order of a list',
      rule('a', { params: { x: ['p', 'q'] } }),
      rule('a', { params: { x: ['q', 'p'] } }),
    ],
    ['no parameters and empty ones', rule('a'), rule('a', { params: {} })],
    ['resource types', a, rule('a', { resourceType: 'location' })],
    ['rules', a, b],
    ['letter case', a, rule('A')],
    ['sign', a, not(a)],
  ])('holds conditions apart that differ in %s', (_what, one, other) => {
    expect(childrenOf(join([one, other]), _name as 'allOf' | 'anyOf')).toEqual([
      one,
      other,
    ]);
  });

  it('changes nothing it is given', () => {
    const given = [any(a, all(b, b)), all(a, any(a, c)), not(any(a, a))];
    const before = structuredClone(given);
    join(given);
    expect(given).toEqual(before);
  });
});
