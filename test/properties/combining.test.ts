import fc from 'fast-check';
import {
  ALGORITHMS,
  createAccumulator,
  type CombiningAlgorithm,
} from '../../src/combining/algorithms';
import { allOf, anyOf } from '../../src/conditions/algebra';
import type {
  ApplicableVerdict,
  Conditions,
  Criteria,
  Verdict,
} from '../../src/verdict';
import {
  all,
  any,
  ALLOW,
  DENY,
  NOT_APPLICABLE,
  not,
  rule,
  when,
} from '../fixtures/builders';
import { combineKinds, combineMeanings, meaning } from './reference/combining';
import {
  assignments,
  childrenOf,
  holds,
  nodesOf,
  rewritten,
  type Assignment,
} from './reference/conditions';

/** Some differ in their parameters only, and two in nothing but the order of keys. */
const RULES = [
  rule('a'),
  rule('b'),
  rule('c', { params: { x: 1, y: ['p', 'q'] } }),
  rule('c', { params: { y: ['p', 'q'], x: 1 } }),
  rule('c', { params: { x: 1, y: ['q', 'p'] } }),
];
const EVERY_RESOURCE = assignments(RULES);

/** Trees with duplicates, groups of one, groups in groups and double negations. */
const { criteria: anyCriteria } = fc.letrec<{ criteria: Conditions }>(tie => {
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

const constants = [ALLOW, DENY, NOT_APPLICABLE];
const anyVerdict = fc.oneof(
  fc.constantFrom(...constants),
  anyCriteria.map(conditions => when(conditions)),
);
/** Of one plugin, or of another. */
const anyPluginsVerdict = fc.oneof(
  fc.constantFrom(...constants),
  fc
    .tuple(anyCriteria, fc.constantFrom('catalog', 'scaffolder'))
    .map(([conditions, pluginId]) => when(conditions, pluginId)),
);
const anyVerdicts = fc.array(anyVerdict, { maxLength: 6 });
const anyAlgorithm = fc.constantFrom(...ALGORITHMS);

/** What no resource can meet, because the algebra saw so, holds for none. */
const holdsAny = (criteria: Conditions | undefined, resource: Assignment): boolean =>
  criteria !== undefined && holds(criteria, resource);

const nodesOfAny = (criteria: Conditions | undefined): Criteria[] =>
  criteria === undefined ? [] : nodesOf(criteria);

/** The result once every verdict was added, settled or not. */
function combineAll(
  algorithm: CombiningAlgorithm,
  verdicts: readonly Verdict[],
): ApplicableVerdict | undefined {
  const accumulator = createAccumulator(algorithm);
  for (const verdict of verdicts) accumulator.add(verdict);
  return accumulator.result();
}

/** Stops at the first settled state, as the router does. */
function combineUntilSettled(
  algorithm: CombiningAlgorithm,
  verdicts: readonly Verdict[],
): ApplicableVerdict | undefined {
  const accumulator = createAccumulator(algorithm);
  for (const verdict of verdicts) {
    if (accumulator.settled) break;
    accumulator.add(verdict);
  }
  return accumulator.result();
}

/** The formula of the conditions as the sources wrote them, without any algebra. */
function written(
  algorithm: CombiningAlgorithm,
  verdicts: readonly Verdict[],
): Conditions {
  const conditions = verdicts.flatMap(verdict =>
    verdict.kind === 'CONDITIONAL' ? [verdict.conditions] : [],
  );
  return algorithm === 'deny-overrides' ? all(...conditions) : any(...conditions);
}

const failure = { class: 'invalid', code: 'THREW', message: 'the source threw' };

/** Which resources the verdict lets through. */
const meanings = (verdict: Verdict | undefined) =>
  EVERY_RESOURCE.map(resource => meaning(verdict, resource));

describe('combining', () => {
  it('then looking at a resource is looking at the resource, then combining', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyVerdicts, (algorithm, verdicts) => {
        const expected = EVERY_RESOURCE.map(resource =>
          combineMeanings(
            algorithm,
            verdicts.map(verdict => meaning(verdict, resource)),
          ),
        );
        expect(meanings(combineAll(algorithm, verdicts))).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives a condition only where no constant decides, and some resource may meet it', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyVerdicts, (algorithm, verdicts) => {
        const result = combineAll(algorithm, verdicts);
        const expected = combineKinds(algorithm, verdicts);
        if (expected === 'CONDITIONAL' && result?.kind === 'DENY') {
          expect(meanings(when(written(algorithm, verdicts)))).not.toContain(true);
        } else {
          expect(result?.kind).toBe(expected);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('never gives ALLOW where no source gave it', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyVerdicts, (algorithm, verdicts) => {
        const withoutAllow = verdicts.filter(({ kind }) => kind !== 'ALLOW');
        expect(combineAll(algorithm, withoutAllow)?.kind).not.toBe('ALLOW');
      }),
      { numRuns: 1000 },
    );
  });

  it('never skips a source that failed', () => {
    const FAILED = { ...DENY, failure } as Verdict;
    const verdicts = fc.array(anyPluginsVerdict, { maxLength: 5 });
    fc.assert(
      fc.property(anyAlgorithm, verdicts, fc.nat(), (algorithm, list, seed) => {
        const at = seed % (list.length + 1);
        const result = combineAll(algorithm, list.toSpliced(at, 0, FAILED));
        const others = list.filter(({ kind }) => kind !== 'NOT_APPLICABLE');
        const before = list.slice(0, at).every(({ kind }) => kind === 'NOT_APPLICABLE');
        const settles =
          algorithm === 'deny-overrides' ||
          others.length === 0 ||
          (algorithm === 'first-applicable' && before);
        if (settles) expect(result?.kind).toBe('DENY');
        else expect(meanings(result)).toEqual(meanings(combineAll(algorithm, others)));
      }),
      { numRuns: 1000 },
    );
  });

  it('until it is settled gives what combining the whole list gives', () => {
    const verdicts = fc.array(anyPluginsVerdict, { maxLength: 6 });
    fc.assert(
      fc.property(anyAlgorithm, verdicts, (algorithm, list) => {
        expect(combineUntilSettled(algorithm, list)).toEqual(
          combineAll(algorithm, list),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('is settled exactly when no constant can change its meaning any more', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyVerdicts, (algorithm, verdicts) => {
        const accumulator = createAccumulator(algorithm);
        for (const verdict of verdicts) accumulator.add(verdict);
        const now = accumulator.result()?.kind;
        const later = [ALLOW, DENY].map(
          verdict => combineAll(algorithm, [...verdicts, verdict])?.kind,
        );
        expect(accumulator.settled).toBe(later.every(kind => kind === now));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives nothing exactly when every source abstains', () => {
    const abstaining = fc.array(fc.constant(NOT_APPLICABLE));
    fc.assert(
      fc.property(
        anyAlgorithm,
        fc.oneof(anyVerdicts, abstaining),
        (algorithm, verdicts) => {
          const abstained = verdicts.every(({ kind }) => kind === 'NOT_APPLICABLE');
          expect(combineAll(algorithm, verdicts) === undefined).toBe(abstained);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes no notice of abstentions', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyVerdicts, (algorithm, verdicts) => {
        const applicable = verdicts.filter(({ kind }) => kind !== 'NOT_APPLICABLE');
        expect(combineAll(algorithm, verdicts)).toEqual(
          combineAll(algorithm, applicable),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('by AND or OR means the same in every order', () => {
    const orders = anyVerdicts.chain(verdicts =>
      fc.tuple(
        fc.constant(verdicts),
        fc.shuffledSubarray(verdicts, { minLength: verdicts.length }),
      ),
    );
    fc.assert(
      fc.property(orders, ([verdicts, shuffled]) => {
        for (const algorithm of ['deny-overrides', 'allow-overrides'] as const) {
          const [one, other] = [verdicts, shuffled].map(list =>
            combineAll(algorithm, list),
          );
          expect(meanings(other)).toEqual(meanings(one));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('by first-applicable is the first that applies: there the order matters', () => {
    fc.assert(
      fc.property(anyVerdicts, verdicts => {
        const first = verdicts.find(({ kind }) => kind !== 'NOT_APPLICABLE');
        expect(combineAll('first-applicable', verdicts)).toBe(first);
      }),
      { numRuns: 500 },
    );
    expect(combineAll('first-applicable', [ALLOW, DENY])?.kind).toBe('ALLOW');
    expect(combineAll('first-applicable', [DENY, ALLOW])?.kind).toBe('DENY');
  });

  it('by deny-overrides lets no more through for another verdict', () => {
    const verdicts = fc.array(anyPluginsVerdict, { maxLength: 5 });
    fc.assert(
      fc.property(verdicts, anyPluginsVerdict, fc.nat(), (list, added, seed) => {
        fc.pre(list.some(({ kind }) => kind !== 'NOT_APPLICABLE'));
        const longer = list.toSpliced(seed % (list.length + 1), 0, added);
        const before = meanings(combineAll('deny-overrides', list));
        const after = meanings(combineAll('deny-overrides', longer));
        const opened = after.filter((allowed, index) => allowed && !before[index]);
        expect(opened).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  it('by deny-overrides lets nothing through that one of the sources denies', () => {
    const verdicts = fc.array(anyPluginsVerdict, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(verdicts, list => {
        const together = combineAll('deny-overrides', list);
        const opened = EVERY_RESOURCE.filter(
          resource =>
            meaning(together, resource) === true &&
            list.some(verdict => meaning(verdict, resource) === false),
        );
        expect(opened).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('gives conditions of the plugin that every condition is of', () => {
    const verdicts = fc.array(anyPluginsVerdict, { maxLength: 5 });
    fc.assert(
      fc.property(anyAlgorithm, verdicts, (algorithm, list) => {
        const result = combineAll(algorithm, list);
        if (result?.kind !== 'CONDITIONAL') return;
        const plugins = list.flatMap(each =>
          each.kind === 'CONDITIONAL' ? [each.pluginId] : [],
        );
        const expected =
          algorithm === 'first-applicable' ? plugins.slice(0, 1) : plugins;
        expect(new Set([result.pluginId])).toEqual(new Set(expected));
      }),
      { numRuns: 500 },
    );
  });
});

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

  it('leaves no empty group, no group of one, none within its like and no duplicates', () => {
    fc.assert(
      fc.property(anyList, list => {
        for (const node of nodesOfAny(join(list))) {
          if (!('allOf' in node) && !('anyOf' in node)) continue;
          const children = childrenOf(node);
          expect(children.length).toBeGreaterThan(1);
          const like = 'allOf' in node ? 'allOf' : 'anyOf';
          expect(children.filter(child => like in child)).toEqual([]);
          const spelt = children.map(child => JSON.stringify(child));
          expect(new Set(spelt).size).toBe(children.length);
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

  it('gives the same for the same formulas written otherwise, up to the order', () => {
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

  it('sees that criteria and their negation contradict each other, however written', () => {
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

  it('changes nothing it is given', () => {
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
