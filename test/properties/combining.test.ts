import fc from 'fast-check';
import {
  ALGORITHMS,
  createAccumulator,
  type CombiningAlgorithm,
} from '../../src/combining/algorithms';
import type { ApplicableVerdict, Conditions, Verdict } from '../../src/verdict';
import { all, any, ALLOW, DENY, NOT_APPLICABLE, when } from '../fixtures/builders';
import { anyCriteria, EVERY_RESOURCE } from '../support/any-criteria';
import { combineKinds, combineMeanings, meaning } from './reference/combining';

const constants = [ALLOW, DENY, NOT_APPLICABLE];
const anyVerdict = fc.oneof(
  fc.constantFrom(...constants),
  anyCriteria.map(conditions => when(conditions)),
);
/** A verdict with conditions of one plugin or another. */
const anyPluginsVerdict = fc.oneof(
  fc.constantFrom(...constants),
  fc
    .tuple(anyCriteria, fc.constantFrom('catalog', 'scaffolder'))
    .map(([conditions, pluginId]) => when(conditions, pluginId)),
);
const anyVerdicts = fc.array(anyVerdict, { maxLength: 6 });
const anyAlgorithm = fc.constantFrom(...ALGORITHMS);

/** The result once every verdict was added, settled or not. */
function combineAll(
  algorithm: CombiningAlgorithm,
  verdicts: readonly Verdict[],
): ApplicableVerdict | undefined {
  const accumulator = createAccumulator(algorithm, () => undefined);
  for (const verdict of verdicts) accumulator.add(verdict);
  return accumulator.result();
}

/** Stops at the first settled state, as the router does. */
function combineUntilSettled(
  algorithm: CombiningAlgorithm,
  verdicts: readonly Verdict[],
): ApplicableVerdict | undefined {
  const accumulator = createAccumulator(algorithm, () => undefined);
  for (const verdict of verdicts) {
    if (accumulator.settled) break;
    accumulator.add(verdict);
  }
  return accumulator.result();
}

/** The formula of the sources' conditions without any simplification. */
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

/** Which resources the verdict allows. */
const meanings = (verdict: Verdict | undefined) =>
  EVERY_RESOURCE.map(resource => meaning(verdict, resource));

describe('combining verdicts', () => {
  it('and then evaluating a resource equals evaluating the resource and then combining', () => {
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

  it('returns conditions only if no constant decides and a resource may meet them', () => {
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

  it('returns ALLOW only if a source returned it', () => {
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

  it('only until the result is settled equals combining the whole list', () => {
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

  it('is settled exactly when no further constant can change the meaning', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyVerdicts, (algorithm, verdicts) => {
        const accumulator = createAccumulator(algorithm, () => undefined);
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

  it('returns nothing exactly when every source abstains', () => {
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

  it('ignores abstentions', () => {
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

  it('by AND or OR means the same in any order', () => {
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

  it('by first-applicable returns the first applicable verdict, so the order matters', () => {
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

  it('by deny-overrides never allows more after another verdict', () => {
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

  it('by deny-overrides allows nothing that a source denies', () => {
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

  it('returns conditions of the only plugin that the sources name', () => {
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
