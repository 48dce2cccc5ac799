import fc from 'fast-check';
import { allOf, anyOf } from '../../src/conditions/algebra';
import type { Conditions, Criteria } from '../../src/verdict';
import { all, any, not } from '../fixtures/builders';
import { anyCriteria, EVERY_RESOURCE } from '../support/any-criteria';
import {
  childrenOf,
  holds,
  nodesOf,
  rewritten,
  type Assignment,
} from './reference/conditions';

/** Undefined means a condition that no resource can meet. */
const holdsAny = (criteria: Conditions | undefined, resource: Assignment): boolean =>
  criteria !== undefined && holds(criteria, resource);

const nodesOfAny = (criteria: Conditions | undefined): Criteria[] =>
  criteria === undefined ? [] : nodesOf(criteria);

describe.each([
  ['allOf', allOf, all],
  ['anyOf', anyOf, any],
])('joining by %s', (_name, join, group) => {
  const anyList = fc.array(anyCriteria, { minLength: 1, maxLength: 5 });

  it('never changes the meaning', () => {
    fc.assert(
      fc.property(anyList, list => {
        const joined = join(list);
        const wrong = EVERY_RESOURCE.filter(
          resource => holdsAny(joined, resource) !== holds(group(...list), resource),
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  it('never grows the tree', () => {
    fc.assert(
      fc.property(anyList, list => {
        const size = nodesOfAny(join(list)).length;
        expect(size).toBeLessThanOrEqual(nodesOf(group(...list)).length);
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves no empty group, single-child group, group inside a group of its kind or duplicate', () => {
    fc.assert(
      fc.property(anyList, list => {
        for (const node of nodesOfAny(join(list))) {
          if (!('allOf' in node) && !('anyOf' in node)) continue;
          const children = childrenOf(node);
          expect(children.length).toBeGreaterThan(1);
          const like = 'allOf' in node ? 'allOf' : 'anyOf';
          expect(children.filter(child => like in child)).toEqual([]);
          const texts = children.map(child => JSON.stringify(child));
          expect(new Set(texts).size).toBe(children.length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves nothing to simplify', () => {
    fc.assert(
      fc.property(anyList, list => {
        const joined = join(list);
        if (joined) expect(join([joined])).toEqual(joined);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves no double negation', () => {
    fc.assert(
      fc.property(anyList, list => {
        const doubled = nodesOfAny(join(list)).filter(
          node => 'not' in node && 'not' in node.not,
        );
        expect(doubled).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('returns the same for equivalent spellings of a formula, except for the order', () => {
    fc.assert(
      fc.property(anyList, list => {
        const joined = join(list);
        const other = join(list.map(rewritten));
        expect(nodesOfAny(other).length).toBe(nodesOfAny(joined).length);
        expect(join([...list, ...list.map(rewritten)])).toEqual(joined);
      }),
      { numRuns: 500 },
    );
  });

  it('recognizes that criteria contradict their negation in every spelling', () => {
    fc.assert(
      fc.property(anyCriteria, anyList, fc.nat(), (criteria, list, seed) => {
        const at = seed % (list.length + 1);
        const contradicting = list.toSpliced(at, 0, criteria);
        const conjunction = all(...contradicting, not(rewritten(criteria)));
        expect(allOf([conjunction])).toBeUndefined();
        expect(join([conjunction, conjunction])).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('does not change its input', () => {
    fc.assert(
      fc.property(anyList, list => {
        const before = structuredClone(list);
        join(list);
        expect(list).toEqual(before);
      }),
      { numRuns: 200 },
    );
  });
});
