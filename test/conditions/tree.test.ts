import { childrenOf, leavesOf } from '../../src/conditions/tree';
import { all, any, not, rule } from '../fixtures/builders';

const [a, b, c] = [rule('A'), rule('B'), rule('C')];

it.each([
  ['an allOf', all(a, not(b)), [a, not(b)]],
  ['an anyOf', any(a, all(b, c)), [a, all(b, c)]],
  ['a not', not(any(a, b)), [any(a, b)]],
  ['a rule', a, []],
])('the children of %s', (_what, conditions, children) => {
  expect(childrenOf(conditions)).toEqual(children);
});

it.each([
  ['a rule', a, ['A']],
  ['a negation', not(a), ['A']],
  ['a tree', all(b, any(not(all(c, a)), b)), ['B', 'C', 'A', 'B']],
])('the rules of %s, in their order', (_what, conditions, names) => {
  expect(leavesOf(conditions).map(leaf => leaf.rule)).toEqual(names);
});

it('a rule keeps its parameters', () => {
  const leaf = rule('A', { params: { allOf: [b], not: c } } as object);
  expect(leavesOf(any(leaf))).toEqual([leaf]);
});
