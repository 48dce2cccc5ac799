import { allOf, anyOf } from '../../src/conditions/algebra';
import type { Conditions } from '../../src/verdict';
import { all, any, not, renderCriteria, rule } from '../fixtures/builders';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => rule(name)) as [
  ReturnType<typeof rule>,
  ReturnType<typeof rule>,
  ReturnType<typeof rule>,
  ReturnType<typeof rule>,
];

const show = (criteria: Conditions | undefined): string =>
  criteria === undefined ? 'DENY' : renderCriteria(criteria);

/* Every law has its dual; but a tautology, unlike a contradiction, never becomes a constant. */
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
    ['unwraps a group of one', [any(a), all(b)], 'allOf(a, b)'],
    ['removes a double negation', [not(not(a)), b], 'allOf(a, b)'],
    ['removes four negations', [not(not(not(not(a)))), b], 'allOf(a, b)'],
    ['flattens below a double negation', [not(not(all(a, b))), c], 'allOf(a, b, c)'],
    ['unwraps groups between negations', [not(any(not(a))), b], 'allOf(a, b)'],
    ['denies a contradiction: A ∧ ¬A', [a, not(a)], 'DENY'],
    ['denies it in any order: ¬A ∧ B ∧ A', [not(a), b, a], 'DENY'],
    ['denies it across groups', [all(a, b), all(c, not(a))], 'DENY'],
    ['denies it of groups', [any(a, b), not(any(b, a))], 'DENY'],
    [
      'denies it of a conjunction: A ∧ B ∧ ¬(A ∧ B)',
      [all(a, b), not(all(b, a))],
      'DENY',
    ],
    ['denies it of the conjunction of its children', [c, a, not(all(a, b)), b], 'DENY'],
    [
      'keeps the negation of a conjunction that is not whole',
      [a, not(all(a, b))],
      'allOf(a, not(allOf(a, b)))',
    ],
    ['denies it though one half is absorbed', [any(a, b), not(any(a, b)), a], 'DENY'],
    ['denies it below a double negation', [not(not(all(a, not(a)))), b], 'DENY'],
    ['denies a negated tautology: ¬(A ∨ ¬A)', [not(any(b, a, not(a))), c], 'DENY'],
    [
      'denies a negated tautology of a group: ¬(A ∨ B ∨ ¬(A ∨ B))',
      [not(any(b, a, not(any(a, b))))],
      'DENY',
    ],
    ['denies if one child cannot hold', [all(a, not(a)), b], 'DENY'],
    [
      'drops an alternative that cannot hold',
      [any(all(a, not(a)), b), c],
      'allOf(b, c)',
    ],
    [
      'denies if no alternative can hold',
      [any(all(a, not(a)), all(b, not(b))), c],
      'DENY',
    ],
    ['drops a tautology next to a condition', [any(a, not(a)), b], 'b'],
    [
      'drops a negated contradiction next to a condition',
      [not(all(b, a, not(a))), c],
      'c',
    ],
    ['never folds a tautology to ALLOW', [any(b, a, not(a))], 'anyOf(a, not(a))'],
    [
      'never folds two tautologies to ALLOW',
      [any(a, not(a)), any(b, not(b))],
      'anyOf(a, not(a))',
    ],
    [
      'keeps a contradiction it cannot see',
      [any(a, b), not(a), not(b)],
      'allOf(anyOf(a, b), not(a), not(b))',
    ],
  ])('%s', (_law, criteria, expected) => {
    expect(show(allOf(criteria))).toBe(expected);
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
    [
      'never folds the negation of a contradiction to ALLOW',
      [not(all(a, not(a))), b],
      'anyOf(a, not(a))',
    ],
    [
      'never folds the tautology of a group to ALLOW',
      [a, not(any(a, b)), b],
      'anyOf(a, b, not(anyOf(a, b)))',
    ],
    ['keeps of a tautology what makes it one', [b, a, c, not(a)], 'anyOf(a, not(a))'],
    ['removes a double negation', [not(not(a)), b], 'anyOf(a, b)'],
    ['drops what cannot hold', [all(a, not(a)), b, all(not(c), c)], 'b'],
    ['denies if nothing can hold', [all(a, not(a)), all(b, not(b))], 'DENY'],
    ['denies a group of one that cannot hold', [any(all(a, not(a)))], 'DENY'],
  ])('%s', (_law, criteria, expected) => {
    expect(show(anyOf(criteria))).toBe(expected);
  });
});

/* What a tautology becomes must not depend on the order of the sources. */
describe('of several tautologies the simplest stays, in every order', () => {
  const aa = rule('aa');

  it.each([
    ['the shortest', b, aa],
    ['of the equally short the first by name', a, b],
    ['the one without parameters', d, rule('a', { params: {} })],
  ])('%s', (_rule, simple, other) => {
    const expected = any(simple, not(simple));
    const tautology = (criteria: Conditions): Conditions =>
      any(criteria, not(criteria));
    expect(allOf([tautology(simple), tautology(other)])).toEqual(expected);
    expect(allOf([tautology(other), tautology(simple)])).toEqual(expected);
    expect(anyOf([tautology(simple), tautology(other)])).toEqual(expected);
    expect(anyOf([tautology(other), tautology(simple)])).toEqual(expected);
  });
});

describe.each([
  ['allOf', allOf, all],
  ['anyOf', anyOf, any],
])('%s', (_name, join, group) => {
  it('is never empty: an empty group has no meaning in Backstage', () => {
    expect(() => join([])).toThrow('has no meaning in Backstage');
    expect(() => join([all()])).toThrow('has no meaning in Backstage');
    expect(() => join([a, not(any())])).toThrow('has no meaning in Backstage');
  });

  it('treats conditions with equal parameters as equal, in any order of keys', () => {
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
    ['the name of a group', not(all(a, b)), not(any(a, b))],
    ['depth', not(all(a, any(b, c))), not(all(a, any(b, d)))],
  ])('keeps conditions that differ in %s', (_what, one, other) => {
    expect(join([one, other])).toEqual(group(one, other));
  });

  it('treats groups with equal children as equal, in any order and at any depth', () => {
    const one = not(all(a, any(b, not(all(c, d)))));
    const same = not(all(any(not(all(d, c)), b), a));
    expect(join([one, same])).toEqual(one);
  });

  it('does not change its input', () => {
    const given = [any(a, all(b, b)), all(a, any(a, c)), not(not(not(any(a, a))))];
    const before = structuredClone(given);
    join(given);
    expect(given).toEqual(before);
  });
});
