/** Conditions for property tests, over a handful of rules. */
import fc from 'fast-check';
import type { Conditions } from '../../src/verdict';
import { all, any, not, rule } from '../fixtures/builders';
import { assignments } from '../properties/reference/conditions';

/** Some differ only in their parameters, and two only in the order of keys. */
const RULES = [
  rule('a'),
  rule('b'),
  rule('c', { params: { x: 1, y: ['p', 'q'] } }),
  rule('c', { params: { y: ['p', 'q'], x: 1 } }),
  rule('c', { params: { x: 1, y: ['q', 'p'] } }),
];
/** Every way in which a resource can meet or fail these rules. */
export const EVERY_RESOURCE = assignments(RULES);

/** Trees with duplicates, groups of one, groups in groups and double negations. */
const { criteria } = fc.letrec<{ criteria: Conditions }>(tie => {
  const group = fc.array(tie('criteria'), { minLength: 1, maxLength: 4 });
  return {
    criteria: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      { weight: 3, arbitrary: fc.constantFrom(...RULES) },
      { weight: 2, arbitrary: group.map(children => all(...children)) },
      { weight: 2, arbitrary: group.map(children => any(...children)) },
      { weight: 1, arbitrary: tie('criteria').map(not) },
    ),
  };
});

export const anyCriteria: fc.Arbitrary<Conditions> = criteria;
