import {
  ALGORITHMS,
  createAccumulator,
  isTooLarge,
  routeDefault,
  type CombiningAlgorithm,
} from '../../src/combining/algorithms';
import type { Verdict } from '../../src/verdict';
import { nodesOf } from '../properties/reference/conditions';
import {
  ALLOW,
  all,
  any,
  DENY,
  NOT_APPLICABLE,
  not,
  render,
  rule,
  when,
} from '../fixtures/builders';

const a = when(rule('a'));
const b = when(rule('b'));

/** Adds the verdicts in order until the result is settled, as the router does. */
function combine(algorithm: CombiningAlgorithm, verdicts: readonly Verdict[]) {
  const accumulator = createAccumulator(algorithm, () => undefined);
  let asked = 0;
  for (const verdict of verdicts) {
    if (accumulator.settled) break;
    accumulator.add(verdict);
    asked++;
  }
  return { result: accumulator.result(), settled: accumulator.settled, asked };
}

const combined = (algorithm: CombiningAlgorithm, ...verdicts: Verdict[]): string =>
  render(combine(algorithm, verdicts).result);

/*
 * The laws of the tables:
 * - deny-overrides is AND: DENY dominates, ALLOW is neutral.
 * - allow-overrides is OR: ALLOW dominates, DENY is neutral.
 * - first-applicable is the first that does not abstain.
 * - NOT_APPLICABLE is neutral everywhere; if every source abstains, there is no result.
 */
describe('two verdicts', () => {
  const kinds: Record<string, [first: Verdict, second: Verdict]> = {
    ALLOW: [ALLOW, ALLOW],
    DENY: [DENY, DENY],
    conditional: [a, b],
    'N/A': [NOT_APPLICABLE, NOT_APPLICABLE],
  };

  it.each([
    // first         second         deny-overrides  allow-overrides  first-applicable
    ['ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'ALLOW'],
    ['ALLOW', 'DENY', 'DENY', 'ALLOW', 'ALLOW'],
    ['ALLOW', 'conditional', 'b', 'ALLOW', 'ALLOW'],
    ['ALLOW', 'N/A', 'ALLOW', 'ALLOW', 'ALLOW'],
    ['DENY', 'ALLOW', 'DENY', 'ALLOW', 'DENY'],
    ['DENY', 'DENY', 'DENY', 'DENY', 'DENY'],
    ['DENY', 'conditional', 'DENY', 'b', 'DENY'],
    ['DENY', 'N/A', 'DENY', 'DENY', 'DENY'],
    ['conditional', 'ALLOW', 'a', 'ALLOW', 'a'],
    ['conditional', 'DENY', 'DENY', 'a', 'a'],
    ['conditional', 'conditional', 'allOf(a, b)', 'anyOf(a, b)', 'a'],
    ['conditional', 'N/A', 'a', 'a', 'a'],
    ['N/A', 'ALLOW', 'ALLOW', 'ALLOW', 'ALLOW'],
    ['N/A', 'DENY', 'DENY', 'DENY', 'DENY'],
    ['N/A', 'conditional', 'b', 'b', 'b'],
    ['N/A', 'N/A', 'undefined', 'undefined', 'undefined'],
  ])('%s and %s', (first, second, ...expected) => {
    const pair = [kinds[first]![0], kinds[second]![1]] as const;
    expect(ALGORITHMS.map(algorithm => combined(algorithm, ...pair))).toEqual(expected);
  });
});

describe.each(ALGORITHMS)('%s', algorithm => {
  it('gives nothing when no source was asked', () => {
    expect(combine(algorithm, []).result).toBeUndefined();
  });

  it('gives nothing when every source abstains', () => {
    expect(combined(algorithm, NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE)).toBe(
      'undefined',
    );
  });

  it('is not settled by abstentions', () => {
    expect(combine(algorithm, [NOT_APPLICABLE, NOT_APPLICABLE])).toMatchObject({
      settled: false,
      asked: 2,
    });
  });

  it('gives a lone verdict back as it is', () => {
    for (const verdict of [ALLOW, DENY, a])
      expect(combine(algorithm, [NOT_APPLICABLE, verdict]).result).toBe(verdict);
  });

  it('can be asked for its result more than once', () => {
    const accumulator = createAccumulator(algorithm, () => undefined);
    accumulator.add(a);
    accumulator.add(b);
    expect(accumulator.result()).toEqual(accumulator.result());
  });
});

describe('no further source is asked', () => {
  it.each<[string, CombiningAlgorithm, Verdict[], number]>([
    ['after a DENY under deny-overrides', 'deny-overrides', [DENY, ALLOW, a], 1],
    [
      'after a later DENY under deny-overrides',
      'deny-overrides',
      [ALLOW, a, DENY, b],
      3,
    ],
    ['after an ALLOW under allow-overrides', 'allow-overrides', [ALLOW, DENY, a], 1],
    [
      'after a later ALLOW under allow-overrides',
      'allow-overrides',
      [DENY, a, ALLOW, b],
      3,
    ],
    ['after an ALLOW under first-applicable', 'first-applicable', [ALLOW, DENY], 1],
    ['after a DENY under first-applicable', 'first-applicable', [DENY, ALLOW], 1],
    [
      'after a condition under first-applicable',
      'first-applicable',
      [NOT_APPLICABLE, a, ALLOW],
      2,
    ],
  ])('%s', (_rule, algorithm, verdicts, asked) => {
    expect(combine(algorithm, verdicts)).toMatchObject({ settled: true, asked });
  });

  it.each<[string, CombiningAlgorithm, Verdict[]]>([
    ['an ALLOW does not settle deny-overrides', 'deny-overrides', [ALLOW, ALLOW]],
    ['a condition does not settle deny-overrides', 'deny-overrides', [a, b]],
    ['a DENY does not settle allow-overrides', 'allow-overrides', [DENY, DENY]],
    ['a condition does not settle allow-overrides', 'allow-overrides', [a, b]],
  ])('but %s', (_rule, algorithm, verdicts) => {
    expect(combine(algorithm, verdicts).settled).toBe(false);
  });
});

describe('once settled', () => {
  it.each<[CombiningAlgorithm, Verdict]>([
    ['deny-overrides', DENY],
    ['allow-overrides', ALLOW],
    ['first-applicable', a],
  ])('%s changes nothing any more, not even the reason', (algorithm, settling) => {
    const accumulator = createAccumulator(algorithm, () => undefined);
    accumulator.add(settling);
    for (const verdict of [ALLOW, DENY, a, b, NOT_APPLICABLE])
      accumulator.add({ ...verdict, reason: 'too late' });
    expect(accumulator.result()).toBe(settling);
  });
});

describe('conditions', () => {
  const c = when(rule('c'));

  it('of many sources are joined in their order', () => {
    expect(combined('deny-overrides', c, ALLOW, a, NOT_APPLICABLE, b)).toBe(
      'allOf(c, a, b)',
    );
    expect(combined('allow-overrides', c, DENY, a, NOT_APPLICABLE, b)).toBe(
      'anyOf(c, a, b)',
    );
  });

  it('given twice appear once', () => {
    expect(combined('deny-overrides', a, b, a)).toBe('allOf(a, b)');
    expect(combined('allow-overrides', a, a)).toBe('a');
  });

  it('that are weaker than another disappear under deny-overrides', () => {
    expect(combined('deny-overrides', when(any(rule('a'), rule('b'))), a)).toBe('a');
  });

  it('that contradict each other are denied, with every reason', () => {
    const { result } = combine('deny-overrides', [
      { ...a, reason: 'owners' },
      { ...when(not(rule('a'))), reason: 'others' },
    ]);
    expect(result).toEqual({
      kind: 'DENY',
      reason:
        'owners; others; together they contradict each other, so no resource can meet them',
    });
  });

  it('that are always true together stay conditions: a missing resource is denied', () => {
    expect(combined('allow-overrides', a, when(not(rule('a'))))).toBe(
      'anyOf(a, not(a))',
    );
  });

  it('keep the plugin and the resource type, and every reason', () => {
    const { result } = combine('deny-overrides', [
      { ...a, reason: 'owners' },
      { ...b, reason: 'readers' },
    ]);
    expect(result).toEqual({
      kind: 'CONDITIONAL',
      reason: 'owners; readers',
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: { allOf: [rule('a'), rule('b')] },
    });
  });

  it('of the sources are not changed by combining them', () => {
    const verdicts = [when(any(rule('a'), rule('b'))), a, b];
    const before = structuredClone(verdicts);
    for (const algorithm of ALGORITHMS) combine(algorithm, verdicts);
    expect(verdicts).toEqual(before);
  });
});

describe('conditions of two plugins', () => {
  const ofOtherPlugin = when(rule('b'), 'scaffolder');

  it.each(['deny-overrides', 'allow-overrides'] as const)(
    'are denied under %s, with the reason',
    algorithm => {
      expect(combine(algorithm, [a, ofOtherPlugin]).result).toEqual({
        kind: 'DENY',
        reason:
          `conditions of 'catalog' ("catalog-entity") and 'scaffolder' ("catalog-entity") ` +
          'cannot be combined: Backstage applies all conditions of a decision in one plugin, to one resource type',
      });
    },
  );

  it('are denied even when the conditions are equal', () => {
    expect(combined('deny-overrides', a, when(rule('a'), 'scaffolder'))).toBe('DENY');
  });

  it('are denied in any order', () => {
    expect(combined('allow-overrides', a, b, ofOtherPlugin)).toBe('DENY');
    expect(combined('allow-overrides', ofOtherPlugin, a, b)).toBe('DENY');
  });

  it('are denied when their resource types differ', () => {
    const other = { ...b, resourceType: 'location' };
    expect(combined('deny-overrides', a, other)).toBe('DENY');
  });

  it('do not matter if a constant settles the result', () => {
    expect(combined('allow-overrides', a, ofOtherPlugin, ALLOW)).toBe('ALLOW');
    expect(combined('deny-overrides', a, ofOtherPlugin, DENY)).toBe('DENY');
  });

  it('do not matter if only the first verdict counts', () => {
    expect(combined('first-applicable', a, ofOtherPlugin)).toBe('a');
  });
});

describe('a failure that was resolved before', () => {
  const failure = { class: 'unavailable', code: 'TIMEOUT', message: 'late' } as const;

  it('stays with the verdict that decides', () => {
    const closed: Verdict = { ...DENY, kind: 'DENY', failure };
    const open: Verdict = { ...ALLOW, kind: 'ALLOW', failure };
    expect(combine('deny-overrides', [a, closed]).result).toBe(closed);
    expect(combine('allow-overrides', [a, open]).result).toBe(open);
  });

  it('that fails open stops constraining under deny-overrides, and no more', () => {
    const open: Verdict = { ...ALLOW, kind: 'ALLOW', failure };
    expect(combined('deny-overrides', open, a)).toBe('a');
    expect(combined('deny-overrides', open, DENY)).toBe('DENY');
  });
});

describe('the default of a route', () => {
  it.each([
    ['allow', 'ALLOW'],
    ['deny', 'DENY'],
  ] as const)('%s is what it says, and says that it is the default', (value, kind) => {
    expect(routeDefault(value)).toEqual({
      kind,
      reason: `no source was applicable: the route's default is ${value}`,
    });
  });
});

describe('conditions that are too large together', () => {
  /** Counts how often conditions were measured. */
  const tooLarge = (algorithm: CombiningAlgorithm, ...verdicts: Verdict[]) => {
    let measured = 0;
    const accumulator = createAccumulator(algorithm, conditions => {
      measured++;
      return nodesOf(conditions).length > 2 ? 'too many nodes' : undefined;
    });
    for (const verdict of verdicts) accumulator.add(verdict);
    const result = accumulator.result()!;
    const { settled } = accumulator;
    return { result: result.kind, large: isTooLarge(result), settled, measured };
  };
  const conditionals = ['a', 'b', 'c', 'd', 'e'].map(name => when(rule(name)));

  it('settle deny-overrides at once: a DENY', () => {
    expect(tooLarge('deny-overrides', ...conditionals)).toEqual({
      result: 'DENY',
      large: true,
      settled: true,
      measured: 1,
    });
  });

  it('are a DENY of allow-overrides, of which no more is joined', () => {
    expect(tooLarge('allow-overrides', ...conditionals)).toEqual({
      result: 'DENY',
      large: true,
      settled: false,
      measured: 1,
    });
  });

  it('do not matter where a source allows', () => {
    expect(tooLarge('allow-overrides', ...conditionals, ALLOW)).toMatchObject({
      result: 'ALLOW',
      large: false,
    });
  });

  it('are not too large if they are equal', () => {
    expect(tooLarge('deny-overrides', a, a, a)).toEqual({
      result: 'CONDITIONAL',
      large: false,
      settled: false,
      measured: 2,
    });
  });
});

it('joins the conditions of many sources a few times only, and all of them in the end', () => {
  let joins = 0;
  const accumulator = createAccumulator('deny-overrides', () => {
    joins++;
    return undefined;
  });
  const names = Array.from({ length: 64 }, (_, source) =>
    Array.from({ length: 6 }, (__, index) => `rule-${source}-${index}`),
  );
  for (const ofSource of names) {
    accumulator.add(when(all(...ofSource.map(name => rule(name)))));
  }
  const result = accumulator.result();
  expect(render(result)).toBe(
    render(when(all(...names.flat().map(name => rule(name))))),
  );
  expect(joins).toBeLessThan(20);
});

it('joins on after conditions that contradict each other, where others may be met', () => {
  const contradiction = when(all(rule('a'), not(rule('a'))));
  const or = (...verdicts: Verdict[]) => combined('allow-overrides', ...verdicts);
  expect(or(contradiction, contradiction)).toBe('DENY');
  expect(or(contradiction, contradiction, b)).toBe('b');
  expect(or(b, contradiction, contradiction)).toBe('b');
});
