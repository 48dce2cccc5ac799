/** What a JSON Schema refuses the reader refuses, and the other way round. */
import { Ajv, type ValidateFunction } from 'ajv';
import fc from 'fast-check';
import { testsJsonSchema } from '../../src/cli/cases/json-schema';
import { testFileSchema } from '../../src/cli/cases/schema';
import { routingJsonSchema } from '../../src/config/json-schema';
import { mutated } from '../support/json-mutations';
import { errorOf, OPA, OWNERSHIP } from '../support/read-config';

const ajv = new Ajv({ strict: true, strictTypes: true });
const ofRouting = ajv.compile(routingJsonSchema());
const ofTests = ajv.compile(testsJsonSchema());

/** What cannot be said of a routing file alone. */
const OF_THE_WHOLE_CONFIG = [
  /^unknown source /,
  /^ties with /,
  /^fail-open would silence /,
  /^has no effect: none of the sources /,
  // By a setting in app-config it is.
  /^is not allowed in a routing file/,
];

/** The reader's problems with a routing file, without those that need the whole config. */
async function routingProblems(content: unknown): Promise<string[]> {
  const error = await errorOf(
    { sources: { opa: OPA, ownership: OWNERSHIP } },
    { file: { path: 'routing.yaml', content } },
  );
  return (error?.problems ?? [])
    .filter(({ message }) => !OF_THE_WHOLE_CONFIG.some(each => each.test(message)))
    .map(({ path, message }) => `${path}: ${message}`);
}

const testsProblems = (content: unknown): string[] =>
  (testFileSchema.safeParse(content).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );

const schemaProblems = (validate: ValidateFunction, content: unknown): string[] =>
  validate(content)
    ? []
    : validate.errors!.map(
        ({ instancePath, message }) => `${instancePath}: ${message}`,
      );

/** Both refuse it, or both accept it. */
function expectAgreement(
  content: unknown,
  schema: readonly string[],
  reader: readonly string[],
): void {
  if (schema.length > 0 === reader.length > 0) return;
  throw new Error(JSON.stringify({ content, schema, reader }, null, 1));
}

const PREFIXES = [
  '',
  '*',
  'catalog',
  'catalog.entity',
  'catalog.entity.',
  'catalog.entity.*',
  'cost/',
  'cost/a b/',
  '/',
  'a.b/',
  'a/.*',
];
const BAD_PREFIXES = [
  '.',
  '.*',
  'a..b',
  'a..',
  'a.*.b',
  '*.a',
  '**',
  'a b',
  'a,b',
  ' a/',
  'a*/',
  'a\u00a0/',
  'a\u200b',
  '\ud800',
  'a\n',
  'a'.repeat(257),
];

const someOf = <T>(...values: T[]) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
/** As JSON has it: a key that is undefined is missing. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const route = fc
  .record({
    pattern: fc.oneof(
      fc.constantFrom(...PREFIXES).map(prefix => ({ prefix })),
      fc.constantFrom('a', 'cost/a b,*', 'a'.repeat(256)).map(name => ({ name })),
    ),
    rest: fc.record({
      actions: optional(someOf('create', 'read', 'update', 'delete', 'none')),
      resourceTypes: optional(someOf('catalog-entity', 'a')),
      sources: someOf('opa', 'ownership', 'allow', 'deny'),
      combine: optional(
        fc.constantFrom('deny-overrides', 'allow-overrides', 'first-applicable'),
      ),
      onUnavailable: optional(fc.constantFrom('fail-closed', 'fail-open')),
      default: optional(fc.constantFrom('allow', 'deny')),
      observe: optional(
        fc.oneof(
          fc.constant(false),
          fc.record({
            answer: fc.constantFrom('allow', 'opa'),
            until: fc.constantFrom('2027-01-31', '2027-01-31T09:00:00+01:00'),
          }),
        ),
      ),
    }),
  })
  .map(({ pattern, rest }) => ({ ...pattern, ...rest }));

const routing = fc
  .record({
    fallback: fc.constantFrom('allow', 'deny'),
    routes: fc.array(route, { minLength: 1, maxLength: 3 }),
  })
  .map(asJson);

const mutatedRouting = mutated(routing, {
  texts: [
    ...[...PREFIXES, ...BAD_PREFIXES],
    ...['allow', 'deny', 'read', '2s', 'fail-open', '2027-02-30', '2027-01-31T25:00Z'],
  ],
  keys: ['prefix', 'name', 'sources', 'actions', 'fallback', 'routes', 'observe'],
});

const user = fc.record({
  ref: optional(fc.constantFrom('user:default/olivia', 'USER:a/b')),
  groups: optional(someOf('group:default/a', 'group:default/b')),
});
const entity = fc.oneof(
  fc.constantFrom<unknown>('./catalog-info.yaml', 'a.yaml#component:default/website'),
  fc.record({
    apiVersion: fc.constant('backstage.io/v1alpha1'),
    kind: fc.constant('Component'),
    metadata: fc.record({ name: fc.constant('a'), labels: fc.constant({ a: 'b' }) }),
    spec: optional(fc.constant({ type: 'service' })),
    relations: optional(
      fc.constant([{ type: 'ownedBy', targetRef: 'group:default/a' }]),
    ),
  }),
);
const result = fc.constantFrom('allow', 'deny', 'not-applicable');
const who = someOf('olivia', 'guest', 'anonymous', 'user:default/olivia');
const standIns = fc.dictionary(
  fc.constantFrom('rbac', 'openchoreo', 'o/p'),
  fc.oneof(
    fc.oneof(result, fc.constant('unavailable')),
    fc.array(
      fc.record({
        users: optional(who),
        permissions: optional(someOf(...PREFIXES)),
        result,
      }),
      { minLength: 1, maxLength: 2 },
    ),
  ),
);
const { conditions } = fc.letrec<{ conditions: unknown; node: unknown }>(tie => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      rule: fc.constant('IS_ENTITY_OWNER'),
      resourceType: optional(fc.constant('catalog-entity')),
      params: optional(
        fc.dictionary(
          fc.constantFrom('claims', 'key'),
          fc.constantFrom('$user', '$ownershipRefs', '$$', 'a', 1, ['a'], {
            a: ['$$'],
          }),
        ),
      ),
    }),
    fc.array(tie('node'), { minLength: 1, maxLength: 2 }).map(allOf => ({ allOf })),
    fc.array(tie('node'), { minLength: 1, maxLength: 2 }).map(anyOf => ({ anyOf })),
    tie('node').map(not => ({ not })),
  ),
  conditions: tie('node'),
}));
const asked = fc.oneof(
  fc.constantFrom<unknown>('catalog.entity.read', 'a'),
  fc.record({
    name: fc.constant('a'),
    type: fc.constant('resource'),
    action: optional(fc.constantFrom('create', 'read', 'update', 'delete')),
    resourceType: fc.constant('catalog-entity'),
  }),
  fc.record({ name: fc.constant('a'), type: fc.constant('basic') }),
  // Half of these are refused.
  fc.record({
    name: fc.constant('b'),
    type: fc.constantFrom('basic', 'resource'),
    resourceType: optional(fc.constant('a')),
  }),
);
const testCase = fc
  .record({
    common: fc.record({
      name: optional(fc.constant('owners may')),
      user: fc.oneof(fc.constantFrom('olivia', 'anonymous', 'user:default/a'), who),
      permission: fc.oneof(
        asked,
        fc.uniqueArray(asked, { minLength: 1, maxLength: 2, selector: JSON.stringify }),
      ),
      standIns: optional(standIns),
      route: optional(fc.constantFrom('fallback', "'catalog' [read]")),
    }),
    expected: fc.oneof(
      fc.record({
        expect: fc.constantFrom('ALLOW', 'DENY'),
        entity: optional(fc.oneof(fc.constant('website'), someOf('website', 'a.b_c'))),
      }),
      fc.record({
        expect: fc.constant('CONDITIONAL'),
        conditions: optional(conditions),
      }),
      // Most of these are refused.
      fc.record({
        expect: fc.constantFrom('ALLOW', 'CONDITIONAL'),
        entity: optional(fc.constant('website')),
        conditions: optional(fc.constant({ rule: 'IS_ENTITY_OWNER' })),
      }),
    ),
  })
  .map(({ common, expected }) => ({ ...common, ...expected }));
const tests = fc
  .record({
    users: optional(fc.dictionary(fc.constantFrom('olivia', 'guest'), user)),
    entities: optional(fc.dictionary(fc.constantFrom('website', 'a.b_c'), entity)),
    standIns: optional(standIns),
    permissions: optional(
      fc.array(
        fc.record({
          name: fc.constantFrom('a', 'b'),
          plugin: fc.constant('billing'),
          action: optional(fc.constant('read')),
          resourceType: optional(fc.constant('invoice')),
        }),
        { minLength: 1, maxLength: 2 },
      ),
    ),
    cases: fc.array(testCase, { minLength: 1, maxLength: 2 }),
  })
  .map(asJson);

const mutatedTests = mutated(tests, {
  texts: [
    ...PREFIXES,
    ...BAD_PREFIXES,
    'olivia',
    'anonymous',
    'user:default/olivia',
    'group:default/a',
    'a.yaml#',
    'a#b:c/d',
    '$user',
    '$ownershipRefs',
    '$else',
    '$$user',
    'ALLOW',
    'CONDITIONAL',
    'resource',
    'basic',
    'unavailable',
    'a'.repeat(64),
    'a'.repeat(301),
  ],
  keys: [
    'users',
    'entity',
    'conditions',
    'rule',
    'params',
    'resourceType',
    'allOf',
    'not',
    'ref',
    'type',
    'result',
    'permission',
    '__proto__',
  ],
});

it('the schema and the reader agree about routing files', () =>
  fc.assert(
    fc.asyncProperty(mutatedRouting, async content =>
      expectAgreement(
        content,
        schemaProblems(ofRouting, content),
        await routingProblems(content),
      ),
    ),
    { numRuns: 1000 },
  ));

it('the schema and the reader agree about test files', () =>
  fc.assert(
    fc.property(mutatedTests, content =>
      expectAgreement(
        content,
        schemaProblems(ofTests, content),
        testsProblems(content),
      ),
    ),
    { numRuns: 1500 },
  ));

it.each([
  ...PREFIXES.map(prefix => [prefix, true] as const),
  ...BAD_PREFIXES.map(prefix => [prefix, false] as const),
])('the prefix %j is valid: %j', async (prefix, isValid) => {
  const content = { fallback: 'deny', routes: [{ prefix, sources: ['deny'] }] };
  expect(ofRouting(content)).toBe(isValid);
  expect((await routingProblems(content)).length === 0).toBe(isValid);
});

it('the schema and the reader agree about prefixes of any characters', () =>
  fc.assert(
    fc.asyncProperty(
      fc.string({
        unit: fc.constantFrom(...'a.*/ ,\u00a0\u200b\n\ud800😀'),
        maxLength: 6,
      }),
      async prefix => {
        const content = { fallback: 'deny', routes: [{ prefix, sources: ['deny'] }] };
        expectAgreement(
          content,
          schemaProblems(ofRouting, content),
          await routingProblems(content),
        );
      },
    ),
    { numRuns: 1000 },
  ));

describe('known differences, in which the reader is stricter', () => {
  it('it counts a character beyond the first 65,536 as two', async () => {
    const name = '😀'.repeat(129);
    const content = { fallback: 'deny', routes: [{ name, sources: ['deny'] }] };
    expect(schemaProblems(ofRouting, content)).toEqual([]);
    expect(await routingProblems(content)).toEqual([
      expect.stringContaining('is longer than 256 characters'),
    ]);
  });

  it('it limits how deep conditions are nested', () => {
    let deep: unknown = { rule: 'A' };
    for (let depth = 0; depth < 600; depth++) deep = { not: deep };
    const content = {
      cases: [
        { user: 'anonymous', permission: 'a', expect: 'CONDITIONAL', conditions: deep },
      ],
    };
    expect(schemaProblems(ofTests, content)).toEqual([]);
    expect(testsProblems(content)).toEqual([
      expect.stringContaining('is nested deeper than 500 levels'),
    ]);
  });
});
