import { readConfig } from '../../src/config/read';
import {
  config,
  errorOf,
  expectProblems,
  OPA,
  OWNERSHIP,
  problems,
  ROUTE,
  TYPES,
  warnings,
  withOpa,
  withRoute,
  type Row,
} from '../support/read-config';
import { tlsFixture } from '../support/tls-fixture';
import { countTurns } from '../support/turns';

const CA = tlsFixture('ca.pem');
const CERT = tlsFixture('client.pem');
const KEY = tlsFixture('client.key');

describe('a valid config', () => {
  it('is read with its settings in milliseconds and its sources by name', async () => {
    const { config: read, warnings } = await readConfig({
      fallback: 'allow',
      anonymous: 'evaluate',
      onUnavailable: 'fail-open',
      deadline: { seconds: 3 },
      verifyConditions: 'required',
      maxConditionBytes: 4096,
      operators: ['Group:default/Platform', 'user:default/petra'],
      audit: 'all',
      recentDecisions: 10,
      whenAskedWithoutResource: 'allow',
      declared: { plugins: ['search'] },
      shadow: { opa: 'deny', ownership: { source: 'embedded', percent: '10' } },
      sources: {
        opa: {
          ...OPA,
          baseUrl: ['https://opa.example.com', 'https://opa-2.example.com'],
          timeout: 'PT0.25S',
          concurrency: 8,
          queue: 0,
          maxResponseBytes: 1024,
          circuitBreaker: {
            errorThreshold: 25,
            volumeThreshold: 10,
            rollingWindow: '1 minute',
            resetTimeout: '5s',
          },
          auth: { token: 'a-long-token' },
          tls: { ca: CA, cert: CERT, key: KEY },
          standby: 'embedded',
        },
        embedded: { type: 'opa-wasm', bundle: '/bundle.tar.gz', entrypoint: 'a/b' },
        ownership: {
          type: 'ownership',
          bypass: ['group:default/platform'],
          kinds: ['Component', 'API'],
          resources: { tool: { pluginId: 'tools', rule: 'IS_OWNER', param: 'refs' } },
        },
      },
      routes: [
        {
          prefix: 'catalog.entity.*',
          actions: ['read', 'none'],
          resourceTypes: ['catalog-entity'],
          sources: ['opa', 'embedded', 'ownership'],
          combine: 'deny-overrides',
          onUnavailable: 'fail-closed',
          default: 'allow',
        },
        { prefix: '', sources: ['deny'] },
        { prefix: 'catalog.entity', sources: ['allow'] },
      ],
    });
    expect(warnings).toEqual([]);
    expect(read).toEqual({
      fallback: 'allow',
      anonymous: 'evaluate',
      deadline: 3000,
      verifyConditions: 'required',
      maxConditionBytes: 4096,
      whenAskedWithoutResource: 'allow',
      declaredBy: ['search'],
      shadow: new Map([
        ['opa', { source: 'deny', percent: 100 }],
        ['ownership', { source: 'embedded', percent: 10 }],
      ]),
      visibility: {
        operators: ['group:default/platform', 'user:default/petra'],
        audit: 'all',
        recentDecisions: 10,
      },
      sources: new Map<string, unknown>([
        ['allow', { type: 'allow', options: {} }],
        ['deny', { type: 'deny', options: {} }],
        [
          'opa',
          {
            type: 'opa',
            options: {
              baseUrl: ['https://opa.example.com', 'https://opa-2.example.com'],
              entrypoint: 'backstage_policy/decision',
              maxResponseBytes: 1024,
              auth: { token: 'a-long-token' },
              tls: { ca: CA, cert: CERT, key: KEY },
            },
            remote: {
              guard: {
                timeout: 250,
                concurrency: 8,
                queue: 0,
                circuitBreaker: {
                  errorThreshold: 25,
                  volumeThreshold: 10,
                  rollingWindow: 60_000,
                  resetTimeout: 5000,
                  distinctUsers: 1,
                },
              },
              onUnavailable: 'fail-open',
              standby: 'embedded',
              endpoints: ['https://opa.example.com', 'https://opa-2.example.com'],
            },
          },
        ],
        [
          'embedded',
          {
            type: 'opa-wasm',
            options: { bundle: '/bundle.tar.gz', entrypoint: 'a/b' },
          },
        ],
        [
          'ownership',
          {
            type: 'ownership',
            options: {
              bypass: ['group:default/platform'],
              kinds: ['component', 'api'],
              resources: {
                tool: { pluginId: 'tools', rule: 'IS_OWNER', param: 'refs' },
              },
            },
          },
        ],
      ]),
      routes: [
        {
          label: "'catalog.entity' [read, none] catalog-entity",
          index: 0,
          segments: ['catalog', 'entity'],
          actions: ['read', 'none'],
          resourceTypes: ['catalog-entity'],
          sources: ['opa', 'embedded', 'ownership'],
          combine: 'deny-overrides',
          onUnavailable: 'fail-closed',
          default: 'allow',
        },
        {
          label: "'*'",
          index: 1,
          segments: [],
          sources: ['deny'],
          combine: 'deny-overrides',
          onUnavailable: undefined,
          default: 'deny',
        },
        {
          label: "'catalog.entity'",
          index: 2,
          segments: ['catalog', 'entity'],
          sources: ['allow'],
          combine: 'deny-overrides',
          onUnavailable: undefined,
          default: 'deny',
        },
      ],
    });
  });

  it('has a default for everything that is not required', async () => {
    const { config: read } = await readConfig({
      fallback: 'deny',
      sources: {
        opa: { type: 'opa', baseUrl: 'http://127.0.0.1:8181', entrypoint: 'a/b' },
        ownership: OWNERSHIP,
      },
      routes: [ROUTE],
    });
    expect(read).toMatchObject({
      anonymous: 'deny',
      deadline: 2000,
      verifyConditions: true,
      maxConditionBytes: 65_536,
      whenAskedWithoutResource: 'deny',
      declaredBy: [],
    });
    expect(read.sources.get('opa')).toEqual({
      type: 'opa',
      options: {
        baseUrl: ['http://127.0.0.1:8181'],
        entrypoint: 'a/b',
        maxResponseBytes: 1_048_576,
      },
      remote: {
        guard: {
          timeout: 500,
          concurrency: 64,
          queue: 256,
          circuitBreaker: {
            errorThreshold: 50,
            volumeThreshold: 5,
            rollingWindow: 10_000,
            resetTimeout: 10_000,
            distinctUsers: 1,
          },
        },
        onUnavailable: 'fail-closed',
        standby: undefined,
        endpoints: ['http://127.0.0.1:8181'],
      },
    });
    expect(read.sources.get('ownership')).toEqual({ type: 'ownership', options: {} });
    expect(read.routes[0]).toMatchObject({
      combine: 'deny-overrides',
      default: 'deny',
    });
  });

  it('may leave out all sources: allow and deny are built in', async () => {
    const routes = [{ prefix: '', sources: ['allow'] }];
    const { sources } = (await readConfig(config({ sources: undefined, routes })))
      .config;
    expect([...sources.keys()]).toEqual(['allow', 'deny']);
  });

  it('gives a source its own failure mode before that of the router', async () => {
    const modeOf = async (raw: unknown) => {
      return (await readConfig(raw)).config.sources.get('opa')?.remote?.onUnavailable;
    };
    expect(await modeOf(config())).toBe('fail-closed');
    expect(await modeOf(config({ onUnavailable: 'fail-open' }))).toBe('fail-open');
    expect(
      await modeOf({
        ...withOpa({ onUnavailable: 'fail-closed' }),
        onUnavailable: 'fail-open',
      }),
    ).toBe('fail-closed');
  });

  it('is not changed by reading it', async () => {
    const raw = withRoute({ actions: ['read'] });
    const before = structuredClone(raw);
    await readConfig(raw);
    expect(raw).toEqual(before);
  });
});

describe('an error', () => {
  it('reports every problem, with its whole path', async () => {
    const error = await errorOf({ fallback: 'perhaps', routes: [] });
    expect(error?.name).toBe('PolicyRouterConfigError');
    expect(error?.message).toBe(
      [
        "the policy router's config has 2 errors:",
        `  - permission.policyRouter.fallback: must be 'allow' or 'deny', not "perhaps"`,
        '  - permission.policyRouter.routes: is an empty list; name one or more routes',
      ].join('\n'),
    );
  });

  it('reports ten problems of one config at once', async () => {
    const raw = {
      fallbak: 'deny',
      fallback: 'closed',
      deadline: 2000,
      sources: {
        allow: OWNERSHIP,
        opa: { ...OPA, baseUrl: 'opa:8181', queue: -1 },
        other: { type: 'rbac' },
      },
      routes: [
        { prefix: 'catalog..entity', sources: ['opa'] },
        { prefix: 'catalog', sources: ['oppa'] },
        { prefix: 'catalog.', sources: ['deny'] },
      ],
    };
    expect((await problems(raw)).map(problem => problem.split(': ')[0])).toEqual([
      '~.fallback',
      '~.deadline',
      '~',
      '~.sources',
      '~.sources.opa.baseUrl',
      '~.sources.opa.queue',
      '~.sources.other.type',
      '~.routes[0].prefix',
      '~.routes[1].sources[0]',
      '~.routes[2]',
    ]);
  });
});

describe('a source', () => {
  it.each<Row>([
    [
      'must not have the name of a built-in source',
      config({ sources: { opa: OPA, ownership: OWNERSHIP, allow: OPA, deny: OPA } }),
      "~.sources: the name 'allow' is reserved for the built-in source",
      "~.sources: the name 'deny' is reserved for the built-in source",
    ],
    [
      'needs a type',
      config({ sources: { opa: OPA, ownership: {} } }),
      `~.sources.ownership.type: must be one of ${TYPES}`,
    ],
    [
      'must be an object',
      config({ sources: { opa: OPA, ownership: null } }),
      `~.sources.ownership.type: must be one of ${TYPES}`,
    ],
    [
      'must not have an unknown type',
      config({ sources: { opa: OPA, ownership: { type: 'policy' } } }),
      `~.sources.ownership.type: must be one of ${TYPES}, not 'policy'`,
    ],
    [
      'must not have a type named like a member of objects',
      config({ sources: { opa: OPA, ownership: { type: 'constructor' } } }),
      `~.sources.ownership.type: must be one of ${TYPES}, not 'constructor'`,
    ],
  ])('%s', expectProblems);
});

describe('names like those of object members', () => {
  it('can be names of sources, and pollute nothing', async () => {
    const { config: read } = await readConfig(
      config({
        sources: JSON.parse(
          '{ "toString": { "type": "ownership" }, "constructor": { "type": "ownership" } }',
        ) as object,
        routes: [{ prefix: '', sources: ['toString', 'constructor'] }],
      }),
    );
    expect(read.sources.get('toString')).toMatchObject({ type: 'ownership' });
    expect(read.sources.get('constructor')).toMatchObject({ type: 'ownership' });
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });

  it('cannot be names of sources if Backstage drops the key', async () => {
    const sources = JSON.parse('{ "__proto__": { "type": "ownership" } }') as object;
    const routes = [{ prefix: '', sources: ['allow'] }];
    const [problem] = await problems(config({ sources, routes }));
    expect(problem).toMatch("~.sources: the name '__proto__' cannot be used");
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });

  it.each([
    ['the config', (odd: object) => ({ ...config(), ...odd }), '~'],
    ['a source', withOpa, '~.sources.opa'],
    ['a route', withRoute, '~.routes[0]'],
  ])('are unknown keys of %s', async (_where, place, path) => {
    const odd = JSON.parse('{ "__proto__": { "fallback": "allow" } }') as object;
    const [problem, ...others] = await problems(place(odd));
    expect(problem).toMatch(`${path}: unknown key '__proto__'; allowed: `);
    expect(others).toEqual([]);
  });
});

describe('a table of ten thousand routes', () => {
  /** A config of these routes, each with a source. */
  const tableOf = (routeAt: (index: number) => object): object =>
    config({
      routes: Array.from({ length: 10_000 }, (_, index) => ({
        sources: ['opa', 'ownership'],
        ...routeAt(index),
      })),
    });

  it.each<[what: string, raw: object, ...problems: string[]]>([
    [
      'copies of one route',
      tableOf(() => ({ prefix: 'catalog' })),
      "~.routes[1]: ties with routes[0], routes[2], routes[3], routes[4], routes[5] and 9994 more: their prefix 'catalog' and number of constraints are equal and some permission fits more than one of them; make their actions or resourceTypes disjoint",
    ],
    [
      'one source that is unknown',
      tableOf(index => ({ prefix: `p${index}`, sources: ['gone'] })),
      "~.routes[0].sources[0]: unknown source 'gone'; allowed: 'allow', 'deny', 'opa', 'ownership'; the same applies to routes[1].sources[0], routes[2].sources[0], routes[3].sources[0], routes[4].sources[0], routes[5].sources[0] and 9994 more",
    ],
    [
      'one misspelt key',
      tableOf(index => ({ prefix: `p${index}`, defualt: 'deny' })),
      "~.routes[0]: unknown key 'defualt'; allowed: prefix, name, actions, resourceTypes, sources, combine, onUnavailable, default, observe; the same applies to routes[1], routes[2], routes[3], routes[4], routes[5] and 9994 more",
    ],
    [
      'wrong values of one key',
      tableOf(index => ({ prefix: `p${index}`, default: `d${index}` })),
      `~.routes[0].default: must be 'allow' or 'deny', not "d0"; the same applies to routes[1].default, routes[2].default, routes[3].default, routes[4].default, routes[5].default and 9994 more`,
    ],
    [
      'prefixes with the same mistake',
      tableOf(index => ({ prefix: `p${index}..q` })),
      "~.routes[0].prefix: 'p0..q' has an empty segment; write '' or '*' to match every permission; the same applies to routes[1].prefix, routes[2].prefix, routes[3].prefix, routes[4].prefix, routes[5].prefix and 9994 more",
    ],
    [
      'a failure mode without effect',
      tableOf(index => ({
        prefix: `p${index}`,
        sources: ['deny'],
        onUnavailable: 'fail-open',
      })),
      '~.routes[0].onUnavailable: has no effect: none of the sources of this route can be unavailable; the same applies to routes[1].onUnavailable, routes[2].onUnavailable, routes[3].onUnavailable, routes[4].onUnavailable, routes[5].onUnavailable and 9994 more',
    ],
    [
      'a list that is too long',
      withRoute({ resourceTypes: Array(10_001).fill('x y') }),
      '~.routes[0].resourceTypes: has more than 10000 resource types',
    ],
    [
      'a list of unknown sources that is too long',
      withRoute({ sources: Array(10_001).fill('gone') }),
      '~.routes[0].sources: has more than 10000 source names',
    ],
    [
      'wrong items in one list',
      withRoute({ actions: Array.from({ length: 10_000 }, (_, index) => `a${index}`) }),
      `~.routes[0].actions[0]: must be 'create' or 'read' or 'update' or 'delete' or 'none', not "a0"; the same applies to routes[0].actions[1], routes[0].actions[2], routes[0].actions[3], routes[0].actions[4], routes[0].actions[5] and 9994 more`,
    ],
  ])('has one problem for %s', async (_what, raw, ...expected) => {
    expect(await problems(raw)).toEqual(expected);
  });

  it('has at most 50 problems, and says how many there are', async () => {
    const error = await errorOf(
      tableOf(index => ({ prefix: `p${index}`, sources: [`gone${index}`] })),
    );
    expect(error!.problems).toHaveLength(50);
    expect(error!.message).toContain('has 10000 errors, the first 50:\n');
    expect(error!.message.length).toBeLessThan(10_000);
  });

  it.each<[what: string, raw: object, ...warnings: string[]]>([
    [
      'prefixes whose other permissions are open',
      {
        ...tableOf(index => ({ prefix: `p${index}`, actions: ['read'] })),
        fallback: 'allow',
      },
      "'p0' [read] (~.routes[0]): other permissions of this prefix (create, update, delete, none) fall to the fallback, which allows what no source denies; the same applies to 'p1' [read], 'p2' [read], 'p3' [read], 'p4' [read], 'p5' [read] and 9994 more",
    ],
    [
      'unusual characters',
      tableOf(index => ({ prefix: `p${index}/q` })),
      "'p0/q' (~.routes[0].prefix): contains '/', but matches whole words joined by '.'; for all names that begin with it end it with '/', and for one exact name write 'name' in place of 'prefix'; the same applies to 'p1/q', 'p2/q', 'p3/q', 'p4/q', 'p5/q' and 9994 more",
    ],
    [
      'unused sources',
      config({
        sources: Object.fromEntries(
          Array.from({ length: 1000 }, (_, index) => [`own${index}`, OWNERSHIP]),
        ),
        routes: [{ prefix: '', sources: ['own0'] }],
      }),
      '~.sources.own1: no route names this source; the same applies to sources.own2, sources.own3, sources.own4, sources.own5, sources.own6 and 993 more',
    ],
  ])('has one warning for %s', async (_what, raw, ...expected) => {
    expect(await warnings(raw)).toEqual(expected);
  });

  it('has at most 50 warnings, and says how many more there are', async () => {
    const raw = tableOf(index =>
      index < 5000
        ? { prefix: `p${index}`, resourceTypes: ['x'], default: 'allow' }
        : { prefix: `p${index - 5000}.q`, actions: ['delete'] },
    );
    const given = await warnings(raw);
    expect(given).toHaveLength(51);
    expect(given.at(-1)).toBe('and 4950 more warnings about the config');
    expect(Math.max(...given.map(({ length }) => length))).toBeLessThan(1000);
  });

  it('is read while others run', async () => {
    const raw = tableOf(index => ({ prefix: `p${index}`, actions: ['read'] }));
    // Every item of work takes a millisecond, as seen by the clock.
    let now = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now++);
    const turns = countTurns();
    await readConfig(raw);
    expect(turns.stop()).toBeGreaterThan(5000);
    jest.restoreAllMocks();
  });

  it('is read alone if nothing else is due', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(0);
    const turns = countTurns();
    await readConfig(tableOf(index => ({ prefix: `p${index}` })));
    expect(turns.stop()).toBe(0);
    jest.restoreAllMocks();
  });
});

it('names of any length are cut in problems', async () => {
  const long = 'n'.repeat(100_000);
  const error = await errorOf({
    fallback: long,
    [long]: 1,
    sources: {
      opa: { ...OPA, standby: long, [long]: 1, timeout: long },
      [long]: { type: long },
      short: { type: long },
      own: { ...OWNERSHIP, resources: { [long]: {} } },
    },
    routes: [{ prefix: long, sources: [long], combine: long, [`${long}2`]: 1 }],
  });
  expect(error!.problems.length).toBeGreaterThan(10);
  for (const { path, message } of error!.problems) {
    expect(path.length).toBeLessThanOrEqual(500);
    expect(message.length).toBeLessThanOrEqual(500);
  }
});

it('lists of names are cut in problems', async () => {
  const sources = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`own${index}`, OWNERSHIP]),
  );
  const [unknown, standby] = await problems(
    config({
      sources: { ...sources, opa: { ...OPA, standby: 'gone' } },
      routes: [{ prefix: '', sources: ['gone', 'opa', ...Object.keys(sources)] }],
    }),
  );
  const first = [0, 1, 2, 3, 4, 5, 6, 7].map(index => `'own${index}'`).join(', ');
  expect([unknown, standby]).toEqual([
    `~.sources.opa.standby: unknown source 'gone'; allowed: 'deny', ${first}, 'own8' and 91 more`,
    `~.routes[0].sources[0]: unknown source 'gone'; allowed: 'allow', 'deny', ${first} and 93 more`,
  ]);
});
