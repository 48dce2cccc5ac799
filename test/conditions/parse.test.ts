import fc from 'fast-check';
import {
  BadCondition,
  builtConditions,
  parseConditions,
} from '../../src/conditions/parse';
import type { Conditions, Criteria } from '../../src/verdict';
import { all, any, not, rule } from '../fixtures/builders';

const SHAPE =
  'must be {resourceType, rule, params}, or a group: a non-empty allOf or anyOf, or a not';

/** `<path>: <message>` of what is wrong; undefined if nothing is. */
function problem(value: unknown): string | undefined {
  const parsed = parseConditions(value);
  return parsed instanceof BadCondition
    ? `${parsed.path.join('.')}: ${parsed.message}`
    : undefined;
}

describe('conditions are read', () => {
  it.each([
    ['one rule', rule('IS_OWNER', { params: {} })],
    ['a rule with parameters', rule('IS_OWNER', { params: { claims: [] } })],
    [
      'groups and negations',
      all(any(rule('A', { params: {} }), not(rule('B', { params: {} })))),
    ],
  ])('%s', (_what, conditions) => {
    expect(parseConditions(conditions)).toStrictEqual(conditions);
  });
});

describe('conditions are refused, with the place, that are', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, `: ${SHAPE}`],
    ['null', null, `: ${SHAPE}`],
    ['text', 'IS_OWNER', `: ${SHAPE}`],
    ['a list', [rule('A')], `: ${SHAPE}`],
    ['an empty object', {}, `: ${SHAPE}`],
    ['a number', 7, `: ${SHAPE}`],
    ['a function', () => {}, `: ${SHAPE}`],
    ['a symbol', Symbol('A'), `: ${SHAPE}`],
    ['a map', new Map([['allOf', [1]]]), `: ${SHAPE}`],
    [
      'without a prototype',
      Object.assign(Object.create(null) as object, { not: 1 }),
      `not: ${SHAPE}`,
    ],
    ['an empty allOf', all(), 'allOf: must not be empty'],
    ['an empty anyOf', any(), 'anyOf: must not be empty'],
    [
      'an empty group deep down',
      all(rule('A'), not(any())),
      'allOf.1.not.anyOf: must not be empty',
    ],
    ['a group that is not a list', { anyOf: rule('A') }, `: ${SHAPE}`],
    ['two groups that are not lists', { allOf: {}, anyOf: { 0: 'A' } }, `: ${SHAPE}`],
    ['a group that is text', { anyOf: 'A' }, `: ${SHAPE}`],
    ['null in a group', { allOf: [null] }, `allOf.0: ${SHAPE}`],
    ...[undefined, 7, 'A', [[]]].map((child): [string, unknown, string] => [
      `${JSON.stringify(child)} in a group`,
      { allOf: [rule('A'), child] },
      `allOf.1: ${SHAPE}`,
    ]),
    ['a negation of nothing', { not: undefined }, `not: ${SHAPE}`],
    ['null in a negation', { not: null }, `not: ${SHAPE}`],
    ['a rule without a name', rule(''), `: ${SHAPE}`],
    ['a rule whose name is not a string', { ...rule('A'), rule: 1 }, `: ${SHAPE}`],
    ['a rule without a resource type', { rule: 'A', params: {} }, `: ${SHAPE}`],
    [
      'a rule with an empty resource type',
      rule('A', { resourceType: '' }),
      `: ${SHAPE}`,
    ],
    ['a rule with a further key', { ...rule('A'), reason: 'because' }, `: ${SHAPE}`],
    ...[
      { ...all(rule('A')), ...any(rule('B')) },
      { ...any(rule('A')), ...not(rule('B')) },
      { ...not(rule('A')), ...rule('B') },
      { ...all(), ...rule('B') },
    ].map((node): [string, unknown, string] => [
      `${Object.keys(node).join(' and ')} in one`,
      all(rule('A'), node as Criteria),
      `allOf.1: ${SHAPE}`,
    ]),
    ...['text', 7, true, null, [], [{}]].map((params): [string, unknown, string] => [
      `params that are ${JSON.stringify(params)}`,
      any(rule('A'), rule('B', { params } as object)),
      'anyOf.1.params: must be an object',
    ]),
    [
      'params with a key that copying would lose',
      rule('A', { params: JSON.parse('{"__proto__": 1}') as object } as object),
      'params: must be an object',
    ],
    [
      'wrong in several places, of which the first is named',
      all(rule('A'), any(rule('')), not(any())),
      `allOf.1.anyOf.0: ${SHAPE}`,
    ],
  ])('%s', (_what, value, expected) => {
    expect(problem(value)).toBe(expected);
  });
});

describe('missing params become {}', () => {
  const params = { claims: ['user:default/olivia'] };

  it.each([
    ['of a rule', rule('A'), rule('A', { params: {} })],
    ['in an allOf', all(rule('A')), all(rule('A', { params: {} }))],
    ['in an anyOf', any(rule('A')), any(rule('A', { params: {} }))],
    ['in a negation', not(rule('A')), not(rule('A', { params: {} }))],
    [
      'deep down, next to others that have some',
      all(rule('A', { params }), any(rule('B'), not(all(rule('C'), rule('D'))))),
      all(
        rule('A', { params }),
        any(
          rule('B', { params: {} }),
          not(all(rule('C', { params: {} }), rule('D', { params: {} }))),
        ),
      ),
    ],
  ])('%s', (_what, conditions, expected) => {
    expect(parseConditions(conditions)).toStrictEqual(expected);
  });

  it('in a copy, because the policy may still change its own', () => {
    const given = all(rule('A'), not(rule('B')));
    const before = structuredClone(given);
    const parsed = parseConditions(given);
    expect(given).toStrictEqual(before);
    (given as unknown as { allOf: unknown[] }).allOf.push(rule('C'));
    expect(parsed).toStrictEqual(
      all(rule('A', { params: {} }), not(rule('B', { params: {} }))),
    );
  });

  it('in a frozen copy', () => {
    const parsed = parseConditions(all(rule('A'), not(rule('B')))) as unknown as {
      allOf: [object, { not: object }];
    };
    const nodes = [parsed, parsed.allOf, ...parsed.allOf, parsed.allOf[1].not];
    expect(nodes.every(node => Object.isFrozen(node))).toBe(true);
  });

  it('of every rule, and nothing else changes', () => {
    const leaf = fc
      .option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined })
      .map(given => rule('A', (given ? { params: given } : {}) as object))

      .filter(
        leaf => !Object.hasOwn((leaf as { params?: object }).params ?? {}, '__proto__'),
      );
    const { tree } = fc.letrec<{ tree: Conditions }>(tie => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(some => all(...some)),
        fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(some => any(...some)),
        tie('tree').map(not),
      ),
    }));
    const filled = (criteria: Criteria): unknown =>
      JSON.parse(JSON.stringify(criteria), (_key, value: unknown) =>
        isLeaf(value) ? { ...value, params: value.params ?? {} } : value,
      );
    fc.assert(
      fc.property(tree, criteria => {
        const parsed = parseConditions(criteria);
        expect(JSON.parse(JSON.stringify(parsed))).toEqual(filled(criteria));
        expect(parseConditions(parsed)).toStrictEqual(parsed);
      }),
    );
  });
});

const isLeaf = (value: unknown): value is { params?: unknown } =>
  typeof value === 'object' &&
  value !== null &&
  'resourceType' in value &&
  'rule' in value;

describe('conditions that our own code builds', () => {
  it('are read in the same way', () => {
    expect(builtConditions(rule('A'))).toStrictEqual(rule('A', { params: {} }));
  });

  it('lose further keys, which a later Backstage may add to a rule', () => {
    const leaf = { ...rule('A', { params: {} }), since: '2.0' };
    expect(builtConditions(all(leaf, any(not(leaf))))).toStrictEqual(
      all(rule('A', { params: {} }), any(not(rule('A', { params: {} })))),
    );
  });
});
