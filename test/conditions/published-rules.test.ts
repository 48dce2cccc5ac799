/** Schemas are those that the permission backend itself makes of the rules of a plugin. */
import { permissionRules as catalogRules } from '@backstage/plugin-catalog-backend/alpha';
import type { PermissionRuleParams } from '@backstage/plugin-permission-common';
import {
  createConditionTransformer,
  createPermissionIntegrationRouter,
  createPermissionRule,
  type PermissionRule,
} from '@backstage/plugin-permission-node';
import fc from 'fast-check';
import { z as zod4 } from 'zod';
import { z } from 'zod/v3';
import { PublishedRules } from '../../src/conditions/published-rules';

type Rule = PermissionRule<unknown, unknown, 'thing'>;

/** A plugin with these rules: what it publishes of them, and what it takes. */
async function pluginOf(rules: Rule[]) {
  const { resourceType } = rules[0]!;
  const router = createPermissionIntegrationRouter({ resourceType, rules });
  const url = '/.well-known/backstage/permissions/metadata';
  const metadata = await new Promise((json, reject) => {
    const handle = router as unknown as (...args: unknown[]) => void;
    handle({ method: 'GET', url, headers: {} }, { json }, reject);
  });
  const published = new PublishedRules(JSON.parse(JSON.stringify(metadata)));
  const apply = createConditionTransformer(rules);
  return {
    /** What the router would tell of the params. */
    problem: (rule: string, params: object) =>
      published.get(resourceType, rule)!.paramsProblem(params),
    /** False where the plugin would answer HTTP 400. */
    takes(rule: string, params: object): boolean {
      try {
        apply({ rule, resourceType, params: params as PermissionRuleParams });
        return true;
      } catch (error) {
        if ((error as Error).name === 'InputError') return false;
        throw error;
      }
    },
  };
}

const ruleOf = ([name, paramsSchema]: Row): Rule =>
  createPermissionRule({
    name,
    description: '',
    resourceType: 'thing',
    ...(paramsSchema ? { paramsSchema } : {}),
    apply: () => true,
    toQuery: () => ({}),
  } as unknown as Rule);

const text = z.string();
const object = z.object;
/** Lists of themselves. */
const tree: z.ZodType = z.array(z.lazy(() => tree));
type Row = [what: string, schema: unknown, right: unknown[], wrong: unknown[]];

/** Schemas of one required parameter, with values that are right and that are wrong. */
const ofOne: Row[] = [
  ['text', text, ['', 'x', 'ä'], [1, null, ['x'], {}]],
  ['an enum', z.enum(['x', 'y']), ['x', 'y'], ['X', '', ['x']]],
  ['a list', z.array(text), [[], ['x', 'x']], ['x', [1], { 0: 'x' }]],
  [
    'objects in lists in objects',
    object({ b: z.array(object({ c: text.optional() })) }),
    [{ b: [] }, { b: [{}, { c: '' }] }],
    [{ b: {} }, { b: [{ c: 1 }] }],
  ],
  ['a record', z.record(text), [{}, { x: 'y' }], [{ x: 1 }, []]],
  ['a record of some keys', z.record(z.enum(['x']), text), [{ x: '' }], [{ y: '' }]],
  ['a union', z.union([text, z.array(text)]), ['x', ['x']], [1, [1]]],
  ['a literal text', z.literal('x'), ['x'], ['y', ['x']]],
  ['text or null', text.nullable(), ['x', null], [1]],
  ['a whole number', z.number().int().min(0).max(3), [0, 3], [-1, 4, 1.5, '1']],
  ['a length', text.min(2), ['xy'], ['x', '']],
  ['a pattern', text.regex(/^[\w-.]+$/), ['x-y'], ['x y', '']],
  ['a Unicode pattern', text.regex(/^\p{L}+$/u), ['ä', 'x'], ['1', 'p{L}']],
  ['a date', text.date(), ['2024-02-29'], ['2023-02-29', 'x']],
  ['one of itself', tree, [[], [[], [[]]]], ['x', [['x']]]],
];

/** Schemas of several parameters, with params that are right and that are wrong. */
const ofSeveral: Row[] = [
  [
    'required and optional',
    object({ a: text, b: text.optional() }),
    [{ a: '' }, { a: '', b: '' }],
    [{}, { b: '' }, { a: '', b: null }],
  ],
  ['a default', object({ a: text.default('x') }), [{}, { a: '' }], [{ a: 1 }]],
  ['none', object({}), [{}], []],
  ['no schema', undefined, [{}], []],
  ['those known only', object({ a: text }).strict(), [{ a: '' }], [{ a: '', b: 1 }]],
  ['any others', object({ a: text }).passthrough(), [{ a: '', b: [1] }], [{ b: '' }]],
  ['an intersection', z.record(text).and(object({ b: text })), [{ b: '' }], [{}]],
  [
    'those of zod 4',
    zod4.object({ a: zod4.string(), b: zod4.array(zod4.enum(['x'])).optional() }),
    [{ a: '' }, { a: '', b: ['x'] }],
    [{}, { a: 1 }, { a: '', b: ['y'] }],
  ],
  [
    'those known to zod 4',
    zod4.strictObject({ a: zod4.any() }),
    [{ a: 1 }],
    [{ b: 1 }],
  ],
];

/** What JSON Schema and zod do not understand in quite the same way. */
const formats: Row[] = [
  ['an e-mail address', text.email(), ['olivia@example.com'], ['olivia', '', 1]],
  ['a URL', text.url(), ['https://a.example/b?c#d'], ['a.example', '', 'http://a b']],
  ['a point in time', text.datetime(), ['2024-02-29T00:00:00Z'], ['2024-02-29', '']],
];

const ofA = ([what, schema, right, wrong]: Row): Row => [
  what,
  object({ a: schema as z.ZodType }),
  right.map(a => ({ a })),
  [{}, { b: right[0] }, ...wrong.map(a => ({ a }))],
];

const exact = [...ofOne.map(ofA), ...ofSeveral];
const rows = [...exact, ...formats.map(ofA)];
let plugin: Awaited<ReturnType<typeof pluginOf>>;

beforeAll(async () => {
  plugin = await pluginOf(rows.map(ruleOf));
});

describe('params that the plugin takes pass, and what it refuses is refused:', () => {
  it.each(rows)('%s', (rule, _schema, right, wrong) => {
    for (const params of right as object[]) {
      expect([params, plugin.takes(rule, params)]).toEqual([params, true]);
      expect([params, plugin.problem(rule, params)]).toEqual([params, undefined]);
    }
    for (const params of wrong as object[]) {
      expect([params, plugin.takes(rule, params)]).toEqual([params, false]);
      expect([params, plugin.problem(rule, params)?.kind]).toEqual([params, 'bad']);
    }
  });

  it('but for refinements, which a JSON Schema cannot express', async () => {
    const schema = object({ a: z.number() }).refine(({ a }) => a > 0);
    const refined = await pluginOf([ruleOf(['REFINED', schema, [], []])]);
    expect(refined.problem('REFINED', { a: 0 })).toBeUndefined();
    expect(refined.takes('REFINED', { a: 0 })).toBe(false);
  });
});

/** Right and wrong ones, of their own schema or another, and any. */
const examplesOf = (some: Row[]): object[] =>
  some.flatMap(([, , right, wrong]) => [...right, ...wrong] as object[]);
const value = fc.oneof(
  fc.constantFrom<unknown>(...examplesOf([...ofOne, ...formats])),
  fc.jsonValue({ maxDepth: 2 }),
);
const anyParams: fc.Arbitrary<object> = fc.oneof(
  fc.constantFrom(...examplesOf(rows)),
  fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'toString'), value),
);

describe('no params that pass make the plugin answer HTTP 400', () => {
  it.each(exact)('%s', rule => {
    fc.assert(
      fc.property(anyParams, params => {
        if (plugin.problem(rule, params)) return;
        expect(plugin.takes(rule, params)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

it.each<[string, object, object, object]>([
  ['IS_ENTITY_OWNER', { claims: ['x'] }, {}, { claims: 'x' }],
  ['IS_ENTITY_KIND', { kinds: ['API'] }, { kind: 'API' }, { kinds: 'API' }],
  ['HAS_LABEL', { label: 'a', value: 'b' }, { value: 'b' }, { label: 'a', valeu: 'b' }],
])(
  "the catalog's %s takes its params, and no others",
  async (rule, right, ...wrong) => {
    const catalog = await pluginOf(Object.values(catalogRules) as unknown as Rule[]);
    expect(catalog.problem(rule, right)).toBeUndefined();
    for (const params of wrong) expect(catalog.problem(rule, params)?.kind).toBe('bad');
  },
);

it.each([
  ['required and optional', { a: '' }],
  ['a default', {}],
  ['none', {}],
  ['no schema', {}],
  ['those of zod 4', { a: '' }],
])(
  'params that no schema knows are refused, though a plugin ignores them: %s',
  (...row) => {
    const [rule, right] = row;
    expect(plugin.takes(rule, { ...right, valeu: 1 })).toBe(true);
    expect(plugin.problem(rule, { ...right, valeu: 1 })?.message).toBe(
      `rule "${rule}": "params" must NOT have additional properties: "valeu"`,
    );
  },
);

const ruleThat = (paramsSchema: unknown, name = 'RULE') =>
  new PublishedRules({ rules: [{ name, resourceType: 'thing', paramsSchema }] }).get(
    'thing',
    name,
  )!;

describe('a message', () => {
  const nested = 'objects in lists in objects';
  const nestedRow = rows.find(([what]) => what === nested)!;

  it.each([
    ['required and optional', {}, `"params" must have required property 'a'`],
    ['required and optional', { a: 1 }, '"params.a" must be string'],
    ['none', { a: 1 }, '"params" must NOT have additional properties: "a"'],
    [nested, { a: { b: [{}, { c: 1 }] } }, 'a part of "params.a" must be string'],
    ['an enum', { a: 'z' }, '"params.a" must be equal to one of the allowed values'],
    ['a length', { a: 'z' }, '"params.a" must NOT have fewer than 2 characters'],
    ['an e-mail address', { a: 'z' }, '"params.a" must match format "email"'],
    ['a record', { a: { key: 1 } }, 'a part of "params.a" must be string'],
  ])('names the rule, the parameter, what is wrong: %s %j', (rule, params, told) => {
    expect(plugin.problem(rule, params)?.message).toBe(`rule "${rule}": ${told}`);
  });

  it('holds no value of a parameter, nor a key within it', () => {
    const { hidden } = fc.letrec(tie => ({
      hidden: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('s3cr3t', 271828, true, null),
        fc.array(tie('hidden'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('b', 'c', 's3cr3t'), tie('hidden')),
      ),
    }));
    const params = fc.dictionary(fc.constantFrom('a', 'b'), hidden);
    fc.assert(
      fc.property(fc.constantFrom(...rows), params, ([rule], given) => {
        const told = plugin.problem(rule, given)?.message ?? '';
        expect(told).not.toMatch(/s3cr3t|271828/);
      }),
      { numRuns: 3000, examples: [[nestedRow, { a: { b: [], s3cr3t: 1 } }]] },
    );
  });

  it('is one short line, whatever the names of rule and parameter', () => {
    const name = `a\n"${'x'.repeat(100_000)}`;
    const texts = { additionalProperties: { type: 'string' } };
    for (const paramsSchema of [null, { additionalProperties: false }, texts]) {
      const told = ruleThat(paramsSchema, name).paramsProblem({ [name]: 1 })?.message;
      expect(told).toMatch(/^(the schema of )?rule "a.n.{1,300}$/);
    }
  });
});

describe('a schema', () => {
  it.each([
    [null],
    [{ pattern: '(' }],
    [{ $ref: '#/nowhere' }],
    [{ $async: true, required: ['a'] }],
    [{ $ref: 'http://127.0.0.1:1/schema' }],
  ])('%j cannot be used, which leaves open whether params are right', schema => {
    const message = 'the schema of rule "RULE" cannot be used';
    expect(ruleThat(schema).paramsProblem({})).toEqual({ kind: 'unknown', message });
  });

  it.each([
    [{ $schema: 'https://json-schema.org/draft/2020-12/schema' }],
    [{ markdownDescription: 'told to people' }],
    [{ additionalProperties: { format: 'told-to-people' } }],
  ])('%j is used as far as it is understood, and nothing is printed', more => {
    const spies = [jest.spyOn(console, 'warn'), jest.spyOn(console, 'error')];
    for (let time = 0; time < 2; time++) {
      const rule = ruleThat({ type: 'object', required: ['a'], ...more });
      expect(rule.paramsProblem({ a: 1, b: 'x' })).toBeUndefined();
      expect(rule.paramsProblem({ b: 'x' })?.kind).toBe('bad');
    }
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    jest.restoreAllMocks();
  });

  it.each<[object]>([
    [{ additionalProperties: true }],
    [{ patternProperties: { b: {} } }],
    [{ unevaluatedProperties: true }],
    ...['allOf', 'anyOf', 'oneOf'].map((key): [object] => [{ [key]: [true] }]),
    [{ $ref: '#/definitions/c', definitions: { c: {} } }],
    [{ properties: undefined }],
  ])('%j says of other parameters what it will', more => {
    const rule = ruleThat({ properties: { a: {} }, ...more });
    expect(rule.paramsProblem({ a: 1, b: 1 })).toBeUndefined();
  });
});
