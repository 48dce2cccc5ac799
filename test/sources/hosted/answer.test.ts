/** What is made of what a hosted policy returns. */
import { MAX_DECISION_DEPTH } from '../../../src/sources/decision';
import {
  ask,
  conditional,
  leaf,
  REFS,
  requestOf,
  unreadable,
  wordsOf,
} from '../../support/hosted-policy';

describe('a decision of a hosted policy', () => {
  class Decision {
    constructor(readonly result: string) {}
  }
  class Computed {
    get result(): string {
      return 'ALLOW';
    }
  }

  it.each<[what: string, kind: string, returned: unknown]>([
    ['a promise of ALLOW', 'ALLOW', Promise.resolve({ result: 'ALLOW' })],
    ['ALLOW at once', 'ALLOW', { result: 'ALLOW' }],
    ['DENY', 'DENY', { result: 'DENY' }],
    ['NOT_APPLICABLE', 'NOT_APPLICABLE', { result: 'NOT_APPLICABLE' }],
    ['conditions', 'CONDITIONAL', conditional(leaf)],
    [
      'a thenable',
      'ALLOW',
      { then: (resolve: (value: unknown) => void) => resolve({ result: 'ALLOW' }) },
    ],
    ['an instance of a class', 'DENY', new Decision('DENY')],
    ['an instance that computes it', 'ALLOW', new Computed()],
    [
      'without a prototype',
      'DENY',
      Object.assign(Object.create(null), { result: 'DENY' }),
    ],
    ['a proxy', 'ALLOW', new Proxy({ result: 'ALLOW' }, {})],
    ['frozen', 'ALLOW', Object.freeze({ result: 'ALLOW' })],
    [
      'with keys that Backstage does not read',
      'ALLOW',
      { result: 'ALLOW', reason: 'because' },
    ],
    ['with conditions that do not count', 'DENY', conditional({}, { result: 'DENY' })],
    [
      'with keys that Backstage does not read, conditional',
      'CONDITIONAL',
      conditional(leaf, { id: 1, reason: { text: 'because' } }),
    ],
  ])('may be %s', async (_what, kind, returned) => {
    const { answer, logs } = await ask(() => returned);
    expect(wordsOf(answer)).toBe(kind);
    expect(logs.lines).toEqual([]);
  });

  it.each<[result: string, reason: string]>([
    ['ALLOW', 'the policy says ALLOW'],
    ['DENY', 'the policy says DENY'],
    ['NOT_APPLICABLE', 'the policy abstains'],
  ])('of %s is traced as such', async (result, reason) => {
    const { answer } = await ask(() => ({ result, reason: 'secret' }));
    expect(answer).toEqual({ kind: result, reason });
  });

  it('is read once, so that what was looked at is what stays', async () => {
    const results = ['DENY', 'ALLOW', 'ALLOW'];
    const returned = {
      get result() {
        return results.shift();
      },
    };
    expect(wordsOf((await ask(() => returned)).answer)).toBe('DENY');
    expect(results).toEqual(['ALLOW', 'ALLOW']);
  });

  const WORDS = 'result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE"';
  const notOf = (kind: string): string =>
    `the decision must be an object such as {"result": "ALLOW"}, not ${kind}`;

  it.each<[what: string, returned: unknown, message: string]>([
    ['undefined', undefined, notOf('undefined')],
    ['null', null, notOf('null')],
    ['true', true, notOf('boolean')],
    ['text', 'ALLOW', notOf('string')],
    ['a number', 1, notOf('number')],
    ['NaN', NaN, notOf('number')],
    ['a big number', 1n, notOf('bigint')],
    ['a symbol', Symbol('ALLOW'), notOf('symbol')],
    ['a function', () => ({ result: 'ALLOW' }), notOf('function')],
    [
      'a function with a result',
      Object.assign(() => {}, { result: 'ALLOW' }),
      notOf('function'),
    ],
    ['an empty object', {}, WORDS],
    ['the older shape', { allow: true }, WORDS],
    ['an instance of nothing known', new Date(0), WORDS],
    ['an error', new Error('secret'), WORDS],
    ['a map', new Map([['result', 'ALLOW']]), WORDS],
    ['lower case', { result: 'allow' }, WORDS],
    ['white space', { result: 'ALLOW ' }, WORDS],
    ['another word', { result: 'PERMIT' }, WORDS],
    ['a boolean result', { result: true }, WORDS],
    ['a result of null', { result: null }, WORDS],
    ['a result in a list', { result: ['ALLOW'] }, WORDS],
    ['a result in an object', { result: { result: 'ALLOW' } }, WORDS],
    ['a result that is a String', { result: Object('ALLOW') as unknown }, WORDS],
    ['a result that reads like it', { result: { toString: () => 'ALLOW' } }, WORDS],
    ['a result of a symbol', { result: Symbol('ALLOW') }, WORDS],
    ['a promise of nothing', Promise.resolve(), notOf('undefined')],
  ])('is invalid if it is %s', async (_what, returned, message) => {
    const { answer } = await ask(() => returned);
    expect(wordsOf(answer)).toBe(`invalid BAD_DECISION: ${message}`);
  });

  it('is invalid if it is a list with a result', async () => {
    const { answer } = await ask(() => Object.assign([], { result: 'ALLOW' }));
    expect(wordsOf(answer)).toBe(`invalid BAD_DECISION: ${notOf('a list')}`);
  });

  it('is invalid if it is a list, whose items are not looked at', async () => {
    const list = Object.defineProperty([], 0, { get: unreadable, enumerable: true });
    const { answer } = await ask(() => list);
    expect(wordsOf(answer)).toBe(`invalid BAD_DECISION: ${notOf('a list')}`);
  });

  it('that is invalid names only the results of Backstage, if it was written for Backstage', async () => {
    const { answer } = await ask(() => ({ result: 'allow' }), requestOf(), false);
    expect(wordsOf(answer)).toBe(
      'invalid BAD_DECISION: result must be "ALLOW", "DENY" or "CONDITIONAL"',
    );
  });

  it('that abstains is invalid of a policy that was written for Backstage', async () => {
    const abstaining = { result: 'NOT_APPLICABLE' };
    const { answer } = await ask(() => abstaining, requestOf(), false);
    expect(wordsOf(answer)).toBe(
      'invalid BAD_DECISION: a policy wrapped by hostPolicy cannot abstain; provide it with addSource to let it abstain',
    );
  });

  it.each([{ result: 'ALLOW' }, { result: 'DENY' }, conditional(leaf)])(
    'counts of such a policy, too: %j',
    async returned => {
      const { answer } = await ask(() => returned, requestOf(), false);
      expect(answer.kind).toBe((returned as { result: string }).result);
    },
  );
});

describe('a decision that resists being read', () => {
  const hostileProxy = new Proxy(
    {},
    { get: unreadable, ownKeys: unreadable, getPrototypeOf: unreadable },
  );
  const REVOKED = Proxy.revocable({}, {});
  REVOKED.revoke();

  it.each(['result', 'pluginId', 'resourceType', 'conditions'])(
    'is not mistaken for conditions that are not JSON: %s',
    async key => {
      for (const given of [conditional(leaf), { result: 'ALLOW' }]) {
        const decision = Object.defineProperty(given, key, { get: unreadable });
        const { answer } = await ask(() => decision);
        expect(wordsOf(answer)).toBe(
          'invalid BAD_DECISION: the decision cannot be read',
        );
      }
    },
  );

  it.each<[what: string, returned: unknown]>([
    [
      'a result that throws',
      {
        get result() {
          return unreadable();
        },
      },
    ],
    [
      'a pluginId that throws',
      {
        ...conditional(leaf),
        get pluginId() {
          return unreadable();
        },
      },
    ],
    [
      'a proxy that throws',
      { then: (resolve: (value: unknown) => void) => resolve(hostileProxy) },
    ],
    ['a revoked proxy', REVOKED.proxy],
    ['a result that is a proxy that throws', { result: hostileProxy }],
    ['a result that is a revoked proxy', { result: REVOKED.proxy }],
    [
      'a plugin id that is a proxy that throws',
      conditional(leaf, { pluginId: hostileProxy }),
    ],
    ['conditions that are a proxy that throws', conditional(hostileProxy)],
    ['conditions that throw as they are written', conditional({ toJSON: unreadable })],
    ['a thenable that throws', { then: unreadable }],
    [
      'a thenable that rejects',
      {
        then: (_: unknown, reject: (e: unknown) => void) =>
          reject(new Error('a secret')),
      },
    ],
  ])('is invalid: %s', async (_what, returned) => {
    const { answer } = await ask(() => returned);
    expect(wordsOf(answer)).toMatch(/^invalid (BAD_DECISION|THREW): /);
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  it.each<[what: string, more: object]>([
    ['the class of a pluginId', { pluginId: new (class Secret {})() }],
    ['the class of a resourceType', { resourceType: new (class Secret {})() }],
    [
      'what a pluginId calls its class',
      {
        pluginId: Object.assign(Object.create(null) as object, {
          constructor: { name: `Secret\n2026-01-01 info ALLOW ${'x'.repeat(5000)}` },
        }),
      },
    ],
  ])('is reported in one short line, without %s', async (_what, more) => {
    const words = wordsOf((await ask(() => conditional(leaf, more))).answer);
    expect(words).toMatch(/^invalid BAD_DECISION: /);
    expect(words).not.toMatch(/Secret|[\p{C}\p{Zl}\p{Zp}]/u);
    expect(words.length).toBeLessThan(300);
  });
});

describe('conditions of a hosted policy', () => {
  const read = async (conditions: unknown): Promise<unknown> => {
    const { answer } = await ask(() => conditional(conditions));
    return answer.kind === 'CONDITIONAL' ? answer.conditions : wordsOf(answer);
  };
  const withParams = (params: unknown): object => ({ ...leaf, params });
  /** As a leaf without params is passed on. */
  const filled = withParams({});
  const day = new Date(0);
  const own = (json: string): unknown => JSON.parse(json) as unknown;

  class Leaf {
    readonly #hidden = 1;
    readonly rule = leaf.rule;
    readonly resourceType = leaf.resourceType;
    hidden(): number {
      return this.#hidden;
    }
  }

  it.each<[what: string, conditions: unknown, json: unknown]>([
    ['a rule', leaf, filled],
    [
      'groups',
      { anyOf: [leaf, { not: { allOf: [leaf] } }] },
      { anyOf: [filled, { not: { allOf: [filled] } }] },
    ],
    ['an instance of a class', new Leaf(), filled],
    ['what toJSON gives', { toJSON: () => ({ not: new Leaf() }) }, { not: filled }],
    [
      'a missing key for an undefined one',
      { ...leaf, params: undefined, name: undefined },
      filled,
    ],
    [
      'a missing key for a function or a symbol',
      { ...leaf, a: () => 1, b: Symbol('b') },
      filled,
    ],
    [
      'params without their undefined keys',
      withParams({ a: undefined, b: [undefined] }),
      withParams({ b: [null] }),
    ],
    [
      'null for NaN and the infinite',
      withParams({ a: NaN, b: -Infinity }),
      withParams({ a: null, b: null }),
    ],
    [
      'the text of a date',
      withParams({ since: day }),
      withParams({ since: day.toISOString() }),
    ],
    [
      'what toJSON of params gives',
      withParams({ toJSON: () => ({ claims: REFS }) }),
      withParams({ claims: REFS }),
    ],
    [
      'an empty object for a map',
      withParams({ map: new Map([[1, 2]]), set: new Set([1]) }),
      withParams({ map: {}, set: {} }),
    ],
    [
      'a deep __proto__ as a key',
      withParams(own('{"a":{"__proto__":{"b":1}}}')),
      own(
        `{"rule":"IS_ENTITY_OWNER","resourceType":"catalog-entity","params":{"a":{"__proto__":{"b":1}}}}`,
      ),
    ],
  ])('are passed on as JSON: %s', async (_what, conditions, json) => {
    const got = await read(conditions);
    expect(got).toEqual(json);
    expect(JSON.stringify(got)).toBe(JSON.stringify(json));
  });

  it('come with their plugin and resource type', async () => {
    const { answer } = await ask(() => conditional(leaf));
    expect(answer).toEqual({
      kind: 'CONDITIONAL',
      reason: 'the policy says CONDITIONAL',
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: filled,
    });
  });

  it('are a copy, which the policy cannot change any more', async () => {
    const params = { claims: [...REFS] };
    const returned = conditional({ anyOf: [{ ...leaf, params }] }) as {
      result: string;
      pluginId: string;
      conditions: { anyOf: unknown[] };
    };
    const { answer } = await ask(() => returned);
    const before = structuredClone(answer);
    params.claims.push('group:default/all');
    returned.conditions.anyOf.push(leaf);
    returned.result = 'ALLOW';
    returned.pluginId = 'other';
    expect(answer).toEqual(before);
  });

  /** `not` around a rule, until the decision is so many objects deep. */
  const nested = (depth: number, innermost: object = leaf): object =>
    depth <= 2 ? innermost : { not: nested(depth - 1, innermost) };

  const SHAPE =
    'must be {resourceType, rule, params}, or a group: a non-empty allOf or anyOf, or a not';
  const UNREADABLE = 'cannot be written as JSON';
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;

  it.each<[what: string, conditions: unknown, problem: string]>([
    ['missing', undefined, `conditions: ${SHAPE}`],
    ['null', null, `conditions: ${SHAPE}`],
    ['empty', {}, `conditions: ${SHAPE}`],
    ['text', 'IS_ENTITY_OWNER', `conditions: ${SHAPE}`],
    ['no text', '', `conditions: ${SHAPE}`],
    ['zero as a big number', 0n, `conditions: ${SHAPE}`],
    ['a list', [leaf], `conditions: ${SHAPE}`],
    ['a map', new Map(Object.entries(leaf)), `conditions: ${SHAPE}`],
    ['a function', () => leaf, UNREADABLE],
    ['a symbol', Symbol('leaf'), UNREADABLE],
    ['a big number', 1n, UNREADABLE],
    ['cyclic', cyclic, UNREADABLE],
    ['what toJSON makes nothing of', { toJSON: () => undefined }, UNREADABLE],
    ['an empty anyOf', { anyOf: [] }, 'conditions.anyOf: must not be empty'],
    [
      'an empty allOf',
      { not: { allOf: [] } },
      'conditions.not.allOf: must not be empty',
    ],
    ['an anyOf with a hole', { anyOf: [leaf, , leaf] }, `conditions.anyOf.1: ${SHAPE}`],
    [
      'an anyOf with a function',
      { anyOf: [() => leaf] },
      `conditions.anyOf.0: ${SHAPE}`,
    ],
    ['a set of rules', { anyOf: new Set([leaf]) }, `conditions: ${SHAPE}`],
    ['a rule and a group in one', { ...leaf, anyOf: [leaf] }, `conditions: ${SHAPE}`],
    ['only unknown keys', { name: 'x', resourceType: 't' }, `conditions: ${SHAPE}`],
    ['a negation of a list', { not: [leaf] }, `conditions.not: ${SHAPE}`],
    [
      'a group and a negation in a further one',
      { anyOf: [leaf, { not: leaf, allOf: [leaf], name: 'x' }] },
      `conditions.anyOf.1: ${SHAPE}`,
    ],
    ['a rule without a name', { ...leaf, rule: undefined }, `conditions: ${SHAPE}`],
    ['two groups in one', { anyOf: [leaf], allOf: [leaf] }, `conditions: ${SHAPE}`],
    [
      'a group in the prototype',
      Object.create({ anyOf: [leaf] }),
      `conditions: ${SHAPE}`,
    ],
    ['params of null', withParams(null), 'conditions.params: must be an object'],
    ['params in a list', withParams([]), 'conditions.params: must be an object'],
    ['params of a date', withParams(day), 'conditions.params: must be an object'],
    [
      'params with a __proto__',
      withParams(own('{"__proto__":{"a":1}}')),
      'conditions.params: must be an object',
    ],
    ['params with a big number', withParams({ a: 1n }), UNREADABLE],
    ['cyclic params', withParams(cyclic), UNREADABLE],
  ])('are invalid if they are %s', async (_what, conditions, problem) => {
    const got = await read(conditions);
    expect(got).toMatch(/^invalid BAD_DECISION: /);
    expect(got).toContain(problem);
  });

  it.each<[what: string, conditions: unknown, read: unknown]>([
    ['in a rule', { ...leaf, description: 'x', name: null }, filled],
    ['beside a group', { anyOf: [leaf], resourceType: 't' }, { anyOf: [filled] }],
    ['beside a negation', { not: leaf, params: {} }, { not: filled }],
    [
      'at every level',
      { a: 1, allOf: [{ not: { ...leaf, b: 1 }, c: 1 }] },
      { allOf: [{ not: filled }] },
    ],
    [
      'in a __proto__',
      own('{"rule":"R","resourceType":"t","__proto__":{"params":{"a":1}}}'),
      { rule: 'R', resourceType: 't', params: {} },
    ],
    ['that are deep', { ...leaf, deep: nested(MAX_DECISION_DEPTH + 1) }, filled],
  ])(
    'lose keys that Backstage does not read: %s',
    async (_what, conditions, expected) => {
      expect(await read(conditions)).toEqual(expected);
    },
  );

  it.each<[what: string, without: object, problem: string]>([
    ['a pluginId', { pluginId: undefined }, 'pluginId: must be a string'],
    ['text in pluginId', { pluginId: '' }, 'pluginId: must not be empty'],
    ['a text for pluginId', { pluginId: ['catalog'] }, 'pluginId: must be a string'],
    ['a resourceType', { resourceType: undefined }, 'resourceType: must be a string'],
    ['text in resourceType', { resourceType: '' }, 'resourceType: must not be empty'],
  ])('are invalid without %s', async (_what, without, problem) => {
    const { answer } = await ask(() => conditional(leaf, without));
    expect(wordsOf(answer)).toBe(`invalid BAD_DECISION: ${problem}`);
  });

  it(`are read down to ${MAX_DECISION_DEPTH} levels, and refused below`, async () => {
    expect(await read(nested(MAX_DECISION_DEPTH))).toEqual(
      nested(MAX_DECISION_DEPTH, filled),
    );
    const TOO_DEEP = `invalid TOO_DEEP: the decision is nested deeper than ${MAX_DECISION_DEPTH} levels`;
    expect(await read(nested(MAX_DECISION_DEPTH + 1))).toBe(TOO_DEEP);
    const deepParams = withParams({ deep: nested(MAX_DECISION_DEPTH) });
    expect(await read(deepParams)).toBe(TOO_DEEP);
  });

  it('are refused where they have more parts than any that could be passed on', async () => {
    const listOf = (length: number): object =>
      withParams({ list: Array<number>(length).fill(0) });
    expect(await read(listOf(89_000))).toEqual(listOf(89_000));
    expect(await read(listOf(90_000))).toContain(UNREADABLE);
  });

  it('are refused at once where shared parts would multiply, and so is such a result', async () => {
    let shared: unknown = leaf;
    for (let level = 0; level < 30; level++) shared = { anyOf: [shared, shared] };
    expect(await read(shared)).toContain(UNREADABLE);
    for (const returned of [
      { result: shared },
      conditional(leaf, { pluginId: shared }),
      conditional(leaf, { resourceType: shared }),
    ]) {
      const { answer } = await ask(() => returned);
      expect(wordsOf(answer)).toMatch(/^invalid BAD_DECISION: /);
    }
  });

  it('are refused a hundred thousand levels deep', async () => {
    let conditions: unknown = leaf;
    for (let level = 0; level < 100_000; level++) conditions = { not: conditions };
    expect(await read(conditions)).toMatch(/^invalid (BAD_DECISION|TOO_DEEP): /);
  });
});
