/** Valid decisions of a policy, near misses and nonsense. */
import fc from 'fast-check';
import { hostileText } from './hostile-text';

/** The results of decisions without conditions. */
export const DEFINITE = ['ALLOW', 'DENY', 'NOT_APPLICABLE'];

/** Results, near misses and arbitrary values. */
const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...DEFINITE, 'CONDITIONAL') },
  fc.constantFrom(
    'allow',
    'Allow',
    ' ALLOW',
    'ALLOW\n',
    'ALLOW\u0000',
    'ＡLLOW',
    'PERMIT',
  ),
  fc.constantFrom(true, 1, null, ['ALLOW'], { result: 'ALLOW' }, [['ALLOW']], {}),
  hostileText,
);

const key = fc.oneof(
  fc.constantFrom('result', 'Result', 'results', '__proto__', 'constructor', 'allow'),
  fc.constantFrom('reason', 'conditions', 'pluginId', 'resourceType', 'toString'),
  hostileText,
);

/** All keys become own keys, even `__proto__`. */
export const record = (value: fc.Arbitrary<unknown>): fc.Arbitrary<object> =>
  fc
    .array(fc.tuple(key, value), { maxLength: 3 })
    .map(entries => Object.fromEntries(entries) as object);

const leaf = (resourceType: string): fc.Arbitrary<unknown> =>
  fc.record(
    {
      rule: fc.oneof(fc.constant('IS_ENTITY_OWNER'), hostileText),
      resourceType: fc.oneof(
        { weight: 4, arbitrary: fc.constant(resourceType) },
        hostileText,
      ),
      params: fc.oneof(
        record(fc.jsonValue({ maxDepth: 1 })),
        fc.jsonValue({ maxDepth: 1 }),
      ),
    },
    { requiredKeys: ['rule', 'resourceType'] },
  );

const conditional = (resourceType: string): fc.Arbitrary<unknown> =>
  fc.record(
    {
      result: fc.oneof({ weight: 9, arbitrary: fc.constant('CONDITIONAL') }, word),
      pluginId: fc.oneof(fc.constantFrom('catalog', 'scaffolder'), hostileText),
      resourceType: fc.oneof(
        { weight: 4, arbitrary: fc.constant(resourceType) },
        hostileText,
      ),
      conditions: fc.oneof(
        leaf(resourceType),
        fc.array(leaf(resourceType), { maxLength: 2 }).map(allOf => ({ allOf })),
        fc.array(leaf(resourceType), { maxLength: 2 }).map(anyOf => ({ anyOf })),
        leaf(resourceType).map(not => ({ not })),
        fc.jsonValue({ maxDepth: 2 }),
      ),
    },
    { requiredKeys: ['result', 'pluginId', 'resourceType', 'conditions'] },
  );

/** A conditional decision that can be applied, so that several can be combined. */
export const applicable = (resourceType: string): fc.Arbitrary<unknown> =>
  fc
    .tuple(fc.constantFrom('catalog', 'scaffolder'), fc.constantFrom('A', 'B'))
    .map(([pluginId, rule]) => ({
      result: 'CONDITIONAL',
      pluginId,
      resourceType,
      conditions: { anyOf: [{ rule, resourceType }, { not: { rule, resourceType } }] },
    }));

/** Decisions, near misses and arbitrary values. */
export const decisionOf = (resourceType: string): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 3, arbitrary: word.map(result => ({ result })) },
    { weight: 3, arbitrary: conditional(resourceType) },
    { weight: 3, arbitrary: applicable(resourceType) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(word, record(fc.jsonValue({ maxDepth: 1 })))
        .map(([result, more]) => ({ result, ...more })),
    },
    { weight: 2, arbitrary: record(word) },
    word,
    word.map(result => [{ result }]),
    word.map(result => ({ result: { result } })),
    fc.jsonValue(),
  );

/** A resource type, mostly the first. */
export const resourceType = fc.oneof(fc.constant('catalog-entity'), hostileText);
