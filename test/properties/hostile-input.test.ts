/**
 * For any question from any user there is a decision and never an error; it is the one that the
 * table gives; and it is logged in one line of bounded length. With hostile-answers these are
 * 100,000 cases per run.
 */
import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { InvalidRequestError, readPermission } from '../../src/request';
import { RoutingTable } from '../../src/routing/table';
import { fuzzedRouter, type FuzzedRouter } from '../support/fuzzed-router';
import { hostileText } from '../support/hostile-text';
import { bestRoutes } from './reference/routing';

const RUNS = { asked: 11_000, observed: 3_000, users: 6_000, read: 42_000 };

const routes = [
  { prefix: 'open', sources: ['allow'] },
  { prefix: 'open', actions: ['delete'], sources: ['deny'] },
  { prefix: 'open.secret', sources: ['deny'] },
  { prefix: 'open.thing', resourceTypes: ['thing'], sources: ['deny'] },
  { prefix: 'catalog', sources: ['ownership'] },
  { prefix: '__proto__', sources: ['deny'] },
  { prefix: 'constructor', sources: ['deny'] },
];

const olivia = {
  credentials: {},
  info: {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia'],
  },
};

let router: FuzzedRouter;

beforeAll(async () => {
  router = await fuzzedRouter({
    fallback: 'deny',
    sources: { ownership: { type: 'ownership' } },
    routes,
  });
});

afterAll(() => router.close());

/** The fields of a permission, each of any type. */
interface Asked {
  name?: unknown;
  type?: unknown;
  attributes?: unknown;
  resourceType?: unknown;
}

const action = fc.oneof(
  fc.constantFrom('create', 'read', 'update', 'delete', 'none', undefined),
  hostileText,
  fc.anything(),
  fc.bigInt(),
);

/** Half of it is valid for Backstage, so that the later stages are reached too. */
const asked: fc.Arbitrary<Asked> = fc.record(
  {
    name: fc.oneof({ weight: 9, arbitrary: hostileText }, fc.anything()),
    type: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('basic', 'resource') },
      hostileText,
      fc.anything(),
    ),
    attributes: fc.oneof(
      { weight: 5, arbitrary: fc.record({ action }, { requiredKeys: [] }) },
      fc.anything(),
    ),
    resourceType: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('catalog-entity', 'thing') },
      { weight: 2, arbitrary: hostileText },
      fc.anything(),
    ),
  },
  { requiredKeys: ['type', 'name'] },
);

/** The decision by the table, computed independently of the code under test. */
function expected({ name, type, attributes, resourceType }: Asked): string {
  const given = (attributes as { action?: unknown } | null | undefined)?.action;
  const isText = (value: unknown): boolean =>
    typeof value === 'string' && value.length <= 256;
  const isReadable =
    isText(name) &&
    (given === undefined || isText(given)) &&
    (type === 'basic' || (type === 'resource' && isText(resourceType)));
  if (!isReadable) return 'DENY';
  const permission = { name, type, attributes: { action: given }, resourceType };
  const [route] = bestRoutes(routes, permission as Permission);
  if (route?.sources[0] === 'allow') return 'ALLOW';
  const isOwned =
    type === 'resource' &&
    ['catalog-entity', 'scaffolder-task'].includes(String(resourceType));
  return route?.sources[0] === 'ownership' && isOwned ? 'CONDITIONAL' : 'DENY';
}

const throwing = (thrown: unknown): never => {
  throw thrown;
};

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** The same permission as another kind of object. */
const DISGUISES: Record<string, (plain: Asked) => unknown> = {
  plain: plain => plain,
  frozen: plain => Object.freeze({ ...plain }),
  'without a prototype': plain => Object.assign(Object.create(null) as object, plain),
  'in a prototype': plain => Object.create(plain) as object,
  proxy: plain => new Proxy(plain, {}),
  getters: plain =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        Object.keys(plain).map(key => [key, { get: () => plain[key as keyof Asked] }]),
      ),
    ),
};

/** Questions that cannot be read; each is denied. */
const TRAPS: Record<string, (plain: Asked) => unknown> = {
  'a name that throws': plain => ({
    ...plain,
    get name() {
      return throwing(new Error('secret\nforged'));
    },
  }),
  'an action that throws': plain => ({
    ...plain,
    attributes: {
      get action() {
        return throwing('secret\nforged');
      },
    },
  }),
  'a name that throws an unreadable value': plain => ({
    ...plain,
    get name() {
      return throwing(revoked());
    },
  }),
  'an unreadable value': () => revoked(),
  'a proxy that throws': plain => new Proxy(plain, { get: () => throwing(undefined) }),
  nothing: () => undefined,
};

const disguised = fc
  .tuple(asked, fc.constantFrom(...Object.keys({ ...DISGUISES, ...TRAPS })))
  .map(([plain, kind]) => ({ plain, kind }));

const CONDITIONAL = {
  plain: { name: 'catalog.x', type: 'resource', resourceType: 'catalog-entity' },
  kind: 'plain',
};

describe('any question', () => {
  it('gets the decision of the table, a trace and readable log lines', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(disguised, async ({ plain, kind }) => {
        const disguise = DISGUISES[kind];
        const permission = (disguise ?? TRAPS[kind]!)(plain);
        const { decision } = await router.decide({ permission }, olivia);
        const result = disguise ? expected(plain) : 'DENY';
        seen.add(result);
        if (decision.result !== result) {
          throw new Error(`${decision.result}, not ${result}`);
        }
      }),
      // Chance alone seldom makes a conditional one.
      { numRuns: RUNS.asked, examples: [[CONDITIONAL]] },
    );
    expect([...seen].sort()).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
  });

  it('is read as a frozen copy of a few short strings or refused, and finds its route', () => {
    const written = routes.map(route => ({
      ...route,
      segments: route.prefix.split('.'),
    }));
    const table = new RoutingTable(written as never);
    fc.assert(
      fc.property(asked, plain => {
        let read: Permission;
        try {
          read = readPermission({ permission: plain as Permission });
        } catch (error) {
          if (error instanceof InvalidRequestError || !isObject(plain)) return;
          throw error;
        }
        const texts = [...Object.values(read), ...Object.values(read.attributes)];
        const isShort = texts.every(
          text =>
            text === read.attributes ||
            (typeof text === 'string' && text.length <= 256),
        );
        if (!isShort || !Object.isFrozen(read) || !Object.isFrozen(read.attributes)) {
          throw new Error('not a frozen copy of short strings');
        }
        const [best] = bestRoutes(written, read);
        if (table.match(read) !== best) throw new Error(`not ${String(best?.prefix)}`);
      }),
      { numRuns: RUNS.read },
    );
  });
});

describe('any question under observe', () => {
  let observed: FuzzedRouter;
  beforeAll(async () => {
    observed = await fuzzedRouter({
      fallback: 'deny',
      observe: { answer: 'ownership', until: '2999-01-31' },
      sources: { ownership: { type: 'ownership' } },
      routes,
    });
  });
  afterAll(() => observed.close());

  it('gets the answer of the source, and the decision of the table is recorded', async () => {
    let differing = 0;
    await fc.assert(
      fc.asyncProperty(disguised, async ({ plain, kind }) => {
        const disguise = DISGUISES[kind];
        const permission = (disguise ?? TRAPS[kind]!)(plain);
        const { decision, trace } = await observed.decide({ permission }, olivia);
        const table = disguise ? expected(plain) : 'DENY';
        const asCatalog = { ...plain, name: 'catalog' };
        // What cannot be read is denied before it is routed.
        const given = trace.observed ? expected(asCatalog) : 'DENY';
        if (trace.result !== table) throw new Error(`${trace.result}, not ${table}`);
        if (decision.result !== given)
          throw new Error(`${decision.result}, not ${given}`);
        if (given !== table) differing++;
      }),
      { numRuns: RUNS.observed },
    );
    expect(differing).toBeGreaterThan(0);
  });
});

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null;

const refs = fc.oneof(
  fc.array(hostileText, { maxLength: 3 }),
  fc.array(fc.anything(), { maxLength: 3 }),
  fc.anything(),
);

const info = fc.oneof(
  fc.record(
    {
      userEntityRef: fc.oneof({ weight: 4, arbitrary: hostileText }, fc.anything()),
      ownershipEntityRefs: refs,
    },
    { requiredKeys: [] },
  ),
  fc.anything(),
  fc.constant(olivia.info),
);

const user = fc.oneof(
  fc.record({ credentials: fc.constant({}), info }, { requiredKeys: [] }),
  fc.anything(),
  fc.constant(undefined),
);

/** How the `userInfo` service answers if the user has no info. */
const served = fc.tuple(fc.constantFrom('gives', 'rejects', 'throws'), info);

function isWhole(value: unknown): boolean {
  const { userEntityRef, ownershipEntityRefs } = Object(value) as Record<
    string,
    unknown
  >;
  return (
    typeof userEntityRef === 'string' &&
    Array.isArray(ownershipEntityRefs) &&
    [...(ownershipEntityRefs as unknown[])].every(ref => typeof ref === 'string')
  );
}

describe('any user', () => {
  it('gets the decision for their own identity, and DENY if that is unknown', async () => {
    let allowed = 0;
    await fc.assert(
      fc.asyncProperty(user, served, async (who, [how, what]) => {
        router.serve(() => {
          if (how === 'throws') return throwing(what);
          return how === 'gives'
            ? Promise.resolve(what as never)
            : // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- services may
              Promise.reject(what);
        });
        const permission = { type: 'basic', name: 'open', attributes: {} };
        const { decision, trace } = await router.decide({ permission }, who);
        const given = Object(who) as { info?: unknown };
        const known = given.info || (how === 'gives' && what);
        const result = who && isWhole(known) ? 'ALLOW' : 'DENY';
        if (result === 'ALLOW') allowed++;
        if (decision.result !== result) throw new Error(`not ${result}`);
        if (result === 'DENY' && trace.sources.length > 0) throw new Error('asked');
      }),
      { numRuns: RUNS.users },
    );
    expect(allowed).toBeGreaterThan(0);
  });
});
