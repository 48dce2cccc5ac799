/**
 * No matter what a hosted policy returns, throws or does to its arguments: only a result of ALLOW
 * allows, conditions are those it returned, and no other source sees its changes.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { fuzzedRouter, type FuzzedRouter } from '../support/fuzzed-router';
import { decisionOf, resourceType } from '../support/hostile-decisions';
import { hostileText } from '../support/hostile-text';

const RUNS = { returned: 12_000, changed: 3_000 };

type Handle = (query: unknown, user: unknown) => unknown;

/** What the policies do; set by the tests. */
let returns: Handle = () => undefined;
let first: Handle = () => undefined;
let second: Handle = () => undefined;
let router: FuzzedRouter;

beforeAll(async () => {
  const provided = new ProvidedPolicies();
  const add = (name: string, handle: Handle): void =>
    provided.addSource(name, { handle } as never);
  add('team', (query, user) => returns(query, user));
  add('first', (query, user) => first(query, user));
  add('second', (query, user) => second(query, user));
  const hosted = { handle: (query: unknown, user: unknown) => returns(query, user) };
  provided.host('rbac').setPolicy(hosted as never);
  provided.close();

  const source = { type: 'hosted', timeout: '60s' };
  const sources = { team: source, rbac: source, first: source, second: source };
  router = await fuzzedRouter(
    {
      fallback: 'deny',
      anonymous: 'evaluate',
      deadline: '10m',
      sources,
      routes: [
        { prefix: 'team', sources: ['team'] },
        // An abstention would be ALLOW here, so a policy that cannot abstain must not get this default.
        { prefix: 'rbac', sources: ['rbac'], default: 'allow' },
        // No answer of a policy is an outage.
        { prefix: 'lax', sources: ['team'], onUnavailable: 'fail-open' },
        { prefix: 'both', sources: ['first', 'second'] },
      ],
    },
    provided,
  );
});

afterAll(() => router.close());

const userOf = (more: object = {}) => ({
  credentials: { principal: { type: 'user' } },
  info: {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia', 'group:default/payments'],
  },
  ...more,
});

const permissionOf = (name: string, type: string) => ({
  type: 'resource',
  name,
  attributes: { action: 'read' },
  resourceType: type,
});

/** Values of all kinds that JavaScript has. */
const anything = fc.anything({
  maxDepth: 2,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** A policy's handler, and what a plain reading of its answer gives. */
interface Reply {
  readonly handle: Handle;
  /** What it returns; undefined if it throws. */
  readonly says: () => unknown;
  /** Whether all of it can be read. */
  readonly readable: boolean;
}

/** Creates the value on each use, because fast-check itself could not read some values. */
type Make<T = unknown> = () => T;

const fail = (): never => {
  throw new Error('unreadable');
};

/** A plain reading of a member; Backstage would also read it from an array, the router does not. */
function member(value: unknown, key: string): unknown {
  try {
    return Array.isArray(value) ? undefined : (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function isSame(one: unknown, other: unknown): boolean {
  try {
    return isDeepStrictEqual(one, other);
  } catch {
    return false;
  }
}

const getters = (of: object, get: (key: string) => unknown): object =>
  Object.defineProperties(
    {},
    Object.fromEntries(
      Object.keys(of).map(key => [key, { get: () => get(key), enumerable: true }]),
    ),
  );

/** Objects of different kinds with the same members. */
const DISGUISES: ReadonlyArray<(members: object) => unknown> = [
  members => members,
  // Defined, because assigning `__proto__` would change the members.
  members =>
    Object.defineProperties(
      new (class Decision {})(),
      Object.getOwnPropertyDescriptors(members),
    ),
  members => Object.create(null, Object.getOwnPropertyDescriptors(members)) as unknown,
  members => Object.create(members) as unknown,
  members => Object.freeze({ ...members }),
  members => new Proxy({ ...members }, {}),
  members => getters(members, key => member(members, key)),
  // A second reading returns ALLOW.
  members => {
    const seen = new Set<string>();
    return getters(members, key => {
      if (seen.has(key)) return 'ALLOW';
      seen.add(key);
      return member(members, key);
    });
  },
  members => ({ ...members, toJSON: () => ({ result: 'ALLOW' }) }),
  members => ({ ...members, toString: () => 'ALLOW', valueOf: () => 'ALLOW' }),
];

/** A proxy that throws on every access except this one. */
const resisting = (of: object, but: string): unknown =>
  new Proxy(
    of,
    Object.fromEntries(
      ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor']
        .filter(trap => trap !== but)
        .map(trap => [trap, fail]),
    ),
  );
const anyTrap = fc.constantFrom('get', 'ownKeys', '');

/** Values that must not be part of a decision. */
const strangePart: fc.Arbitrary<Make> = fc.oneof(
  { weight: 2, arbitrary: anything.map(value => () => value) },
  anyTrap.map(but => () => resisting({}, but)),
  hostileText.map(text => () => text),
  // Its class has an arbitrary name.
  hostileText.map(
    name => () =>
      Object.assign(Object.create(null) as object, { constructor: { name } }),
  ),
);

/** Conditions with params of all kinds, only some of which can become JSON. */
const conditionsOf = (type: string): fc.Arbitrary<Make> => {
  const rule = fc.constantFrom('A', 'B');
  const leaf = fc.record({ rule, resourceType: fc.constant(type), params: anything });
  const params = fc.dictionary(hostileText, anything, { maxKeys: 3 });
  const fine = fc.record({ rule, resourceType: fc.constant(type), params });
  return fc.oneof(
    { weight: 3, arbitrary: fine.map(each => () => each) },
    leaf.map(each => () => each),
    fine.map(each => () => ({ anyOf: [each, { not: each }] })),
    fine.map(each => () => ({ toJSON: () => each })),
    fc.tuple(leaf, anything).map(children => () => ({ allOf: children })),
    fc.tuple(fine, strangePart).map(([each, make]) => () => ({
      ...each,
      params: { each: make() },
    })),
    fine.map(each => () => {
      const cyclic: Record<string, unknown> = { ...each };
      cyclic.params = { cyclic };
      return cyclic;
    }),
  );
};

const conditionalOf = (type: string): fc.Arbitrary<Make<object>> =>
  conditionsOf(type).map(make => () => ({
    result: 'CONDITIONAL',
    pluginId: 'catalog',
    resourceType: type,
    conditions: make(),
  }));

/** A conditional decision with one strange part. */
const strangeOf = (type: string): fc.Arbitrary<Make<object>> =>
  fc
    .tuple(
      conditionalOf(type),
      fc.constantFrom('ALLOW', 'CONDITIONAL'),
      fc.constantFrom('result', 'pluginId', 'resourceType', 'conditions', 'then'),
      strangePart,
    )
    .map(([make, result, key, part]) => () => ({ ...make(), result, [key]: part() }));

const RETURNS: ReadonlyArray<(make: Make) => Handle> = [
  make => make,
  make => async () => make(),
  make => async () => {
    await turn();
    return make();
  },
  make => () => ({ then: (resolve: (given: unknown) => void) => resolve(make()) }),
  make => () => ({
    then: (resolve: (given: unknown) => void, reject: (given: unknown) => void) => {
      resolve(make());
      reject(new Error('too late'));
      resolve({ result: 'ALLOW' });
    },
  }),
];

const THROWS: ReadonlyArray<(make: Make) => Handle> = [
  make => () => {
    throw make();
  },
  make => async () => {
    throw make();
  },
  make => () => ({
    then: (_resolve: unknown, reject: (given: unknown) => void) => reject(make()),
  }),
  make => () => ({
    then: () => {
      throw make();
    },
  }),
];

/** Decisions in the form of different kinds of objects. */
const readableReply = (type: string): fc.Arbitrary<Reply> =>
  fc
    .tuple(decisionOf(type), fc.constantFrom(...DISGUISES), fc.constantFrom(...RETURNS))
    .map(([decision, disguise, returning]) => ({
      handle: returning(() =>
        typeof decision === 'object' && decision !== null && !Array.isArray(decision)
          ? disguise(decision)
          : decision,
      ),
      says: () => decision,
      readable: true,
    }));

const strangeReply = (type: string): fc.Arbitrary<Reply> => {
  const members = fc.oneof(conditionalOf(type), strangeOf(type));
  const unreadable = fc
    .tuple(members, fc.constantFrom('result', 'pluginId', 'conditions', 'then'))
    .map(
      ([make, key]) =>
        () =>
          Object.defineProperty(make(), key, { get: fail }),
    );
  return fc
    .tuple(
      fc.oneof(
        { weight: 4, arbitrary: members },
        anything.map(value => () => value),
        unreadable,
        fc.tuple(members, anyTrap).map(
          ([make, but]) =>
            () =>
              resisting(make(), but),
        ),
      ),
      fc.constantFrom(...RETURNS),
    )
    .map(([make, returning]) => ({
      handle: returning(make),
      says: make,
      readable: false,
    }));
};

const thrownReply = (type: string): fc.Arbitrary<Reply> =>
  fc
    .tuple(
      fc.oneof(
        strangePart,
        readableReply(type).map(({ says }) => says),
        hostileText.map(text => () => new Error(text)),
        fc.tuple(hostileText, strangePart).map(
          ([text, part]) =>
            () =>
              Object.assign(new Error(text), { name: part(), code: part() }),
        ),
        strangePart.map(part => () => new Error('because', { cause: part() })),
      ),
      fc.constantFrom(...THROWS),
    )
    .map(([make, throwing]) => ({
      handle: throwing(make),
      says: () => undefined,
      readable: true,
    }));

/** What Backstage would pass on by a plain reading; rules always have params. */
function asJson(conditions: unknown): unknown {
  const withParams = (node: Record<string, unknown>): unknown => {
    if ('not' in node) return { not: withParams(node.not as never) };
    for (const group of ['allOf', 'anyOf']) {
      const children = node[group] as Array<Record<string, unknown>> | undefined;
      if (children) return { [group]: children.map(withParams) };
    }
    const { rule, resourceType: type, params = {} } = node;
    return { rule, resourceType: type, params };
  };
  return withParams(JSON.parse(JSON.stringify(conditions)) as never);
}

const question = fc
  .tuple(fc.constantFrom('team', 'rbac', 'lax'), hostileText, resourceType)
  .chain(([prefix, rest, type]) =>
    fc.record({
      permission: fc.constant(permissionOf(`${prefix}.${rest}`, type)),
      reply: fc.oneof(
        { weight: 3, arbitrary: readableReply(type) },
        { weight: 4, arbitrary: strangeReply(type) },
        thrownReply(type),
      ),
    }),
  );

it('the decision is ALLOW only if the policy returns a result of ALLOW', async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(question, async ({ permission, reply }) => {
      returns = reply.handle;
      const { decision } = await router.decide({ permission }, userOf());
      seen[decision.result] = (seen[decision.result] ?? 0) + 1;
      const { name, resourceType: type } = permission;
      const isAskable = name.length <= 256 && type.length <= 256;
      const allows = member(reply.says(), 'result') === 'ALLOW' && isAskable;
      const allowed = decision.result === 'ALLOW';
      if (allowed && !allows) throw new Error('allowed');
      if (!allowed && allows && reply.readable) throw new Error('not allowed');
      if (decision.result !== 'CONDITIONAL') return;
      const { pluginId, conditions } = reply.says() as Record<string, unknown>;
      const expected = {
        result: 'CONDITIONAL',
        pluginId,
        resourceType: type,
        conditions: asJson(conditions),
      };
      if (!isSame(decision, expected)) throw new Error(JSON.stringify(decision));
    }),
    { numRuns: RUNS.returned },
  );
  expect(Object.keys(seen).sort()).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
});

/** How a policy changes its arguments: which object, which key, and how. */
interface Change {
  readonly at: number;
  readonly key: string;
  readonly how: number;
  readonly value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat({ max: 5 }),
  key: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom('permission', 'name', 'type', 'attributes', 'action'),
    },
    { weight: 3, arbitrary: fc.constantFrom('resourceType', 'info', 'userEntityRef') },
    {
      weight: 3,
      arbitrary: fc.constantFrom('ownershipEntityRefs', 'credentials', '0'),
    },
    fc.constantFrom('length', '__proto__', 'constructor', 'toJSON', 'token'),
    hostileText,
  ),
  how: fc.nat({ max: 6 }),
  value: fc.oneof(anything, hostileText),
});

/** The objects in a policy's arguments that are still in place. */
function partsOf(query: unknown, user: unknown): unknown[] {
  const permission = member(query, 'permission');
  const info = member(user, 'info');
  return [
    query,
    permission,
    member(permission, 'attributes'),
    user,
    info,
    member(info, 'ownershipEntityRefs'),
  ];
}

function apply({ at, key, how, value }: Change, query: unknown, user: unknown): void {
  const target = partsOf(query, user)[at] as Record<string, unknown>;
  try {
    if (how === 0) target[key] = value;
    else if (how === 1) delete target[key];
    else if (how === 2) Object.defineProperty(target, key, { get: fail });
    else if (how === 3) Object.setPrototypeOf(target, Object(value) as object);
    else if (how === 4) Object.freeze(target);
    else if (how === 5) (target as unknown as unknown[]).push(value);
    else (target as unknown as unknown[]).splice(0);
  } catch {
    // An earlier change may make this one impossible.
  }
}

it('no change that a policy makes to its request is visible to the next policy', async () => {
  const ENDS: readonly Handle[] = [
    () => ({ result: 'NOT_APPLICABLE' }),
    async () => ({ result: 'ALLOW' }),
    async () => turn({ result: 'NOT_APPLICABLE' }),
  ];
  let changed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.array(change, { maxLength: 3 }),
      fc.constantFrom(...ENDS),
      fc.constantFrom(userOf(), userOf({ token: 'a-token' }), undefined),
      async (changes, later, end, asked) => {
        const permission = permissionOf('both.read', 'catalog-entity');
        const user = asked && structuredClone(asked);
        const before = structuredClone({ permission, user });
        let seen: unknown;
        first = async (query, own) => {
          // It can change every part.
          const parts = partsOf(query, own).filter(part => part !== undefined);
          expect(parts.filter(part => Object.isFrozen(part))).toEqual([]);
          for (const each of changes) apply(each, query, own);
          // It may also keep its arguments.
          setImmediate(() => {
            for (const each of later) apply(each, query, own);
          });
          if (!isSame([query, own], [{ permission }, user])) changed++;
          return end(query, own);
        };
        second = async (query, own) => {
          await turn();
          await turn();
          seen = structuredClone({ query, user: own });
          if (user) expect(member(own, 'credentials')).toBe(user.credentials);
          return { result: 'ALLOW' };
        };
        const { decision } = await router.decide({ permission }, user);
        expect(decision).toEqual({ result: 'ALLOW' });
        const { permission: own, user: whose } = before;
        expect(seen).toStrictEqual({ query: { permission: own }, user: whose });
        expect({ permission, user }).toStrictEqual(before);
      },
    ),
    { numRuns: RUNS.changed },
  );
  expect(changed).toBeGreaterThan(RUNS.changed / 4);
});
