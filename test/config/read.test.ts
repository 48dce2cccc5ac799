import { readConfig } from '../../src/config/read';
import {
  config,
  errorOf,
  expectProblems,
  OPA,
  OWNERSHIP,
  problems,
  ROUTE,
  withOpa,
  withRoute,
  type Row,
} from '../support/read-config';
import { tlsFixture } from '../support/tls-fixture';

const CA = tlsFixture('ca.pem');
const CERT = tlsFixture('client.pem');
const KEY = tlsFixture('client.key');

const TOP_KEYS =
  'routingFile, fallback, anonymous, onUnavailable, deadline, verifyConditions, maxConditionBytes, sources, routes';
const ROUTE_KEYS =
  'prefix, actions, resourceTypes, sources, combine, onUnavailable, default';

describe('a valid config', () => {
  it('is read with its settings in milliseconds and its sources by name', () => {
    const { config: read, warnings } = readConfig({
      fallback: 'allow',
      anonymous: 'evaluate',
      onUnavailable: 'fail-open',
      deadline: { seconds: 3 },
      verifyConditions: 'required',
      maxConditionBytes: 4096,
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
          label: "routes[0] 'catalog.entity'",
          prefix: 'catalog.entity.*',
          segments: ['catalog', 'entity'],
          actions: ['read', 'none'],
          resourceTypes: ['catalog-entity'],
          sources: ['opa', 'embedded', 'ownership'],
          combine: 'deny-overrides',
          onUnavailable: 'fail-closed',
          default: 'allow',
        },
        {
          label: "routes[1] '*'",
          prefix: '',
          segments: [],
          sources: ['deny'],
          combine: 'deny-overrides',
          onUnavailable: undefined,
          default: 'deny',
        },
        {
          label: "routes[2] 'catalog.entity'",
          prefix: 'catalog.entity',
          segments: ['catalog', 'entity'],
          sources: ['allow'],
          combine: 'deny-overrides',
          onUnavailable: undefined,
          default: 'deny',
        },
      ],
    });
  });

  it.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
    ['required', 'required'],
  ])('may verify conditions: %j', (written, verifyConditions) => {
    const { config: read } = readConfig(config({ verifyConditions: written }));
    expect(read.verifyConditions).toBe(verifyConditions);
  });

  it('has a default for all that is not required', () => {
    const { config: read } = readConfig({
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

  it('may leave out all sources: allow and deny are built in', () => {
    const routes = [{ prefix: '', sources: ['allow'] }];
    const { sources } = readConfig(config({ sources: undefined, routes })).config;
    expect([...sources.keys()]).toEqual(['allow', 'deny']);
  });

  it('keeps the settings apart that a route, a source and the router give', () => {
    const modeOf = (raw: unknown) => {
      return readConfig(raw).config.sources.get('opa')?.remote?.onUnavailable;
    };
    expect(modeOf(config())).toBe('fail-closed');
    expect(modeOf(config({ onUnavailable: 'fail-open' }))).toBe('fail-open');
    expect(
      modeOf({
        ...withOpa({ onUnavailable: 'fail-closed' }),
        onUnavailable: 'fail-open',
      }),
    ).toBe('fail-closed');
  });

  it('is not changed by reading it', () => {
    const raw = withRoute({ actions: ['read'] });
    const before = structuredClone(raw);
    readConfig(raw);
    expect(raw).toEqual(before);
  });
});

describe('an error', () => {
  it('tells every problem, with its whole path', () => {
    const error = errorOf({ fallback: 'perhaps', routes: [] });
    expect(error?.name).toBe('PolicyRouterConfigError');
    expect(error?.message).toBe(
      [
        "the policy router's config has 2 errors:",
        `  - permission.policyRouter.fallback: must be 'allow' or 'deny', not "perhaps"`,
        '  - permission.policyRouter.routes: is an empty list; name one or more routes',
      ].join('\n'),
    );
  });

  it('tells ten problems of one config at once', () => {
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
    expect(problems(raw).map(problem => problem.split(': ')[0])).toEqual([
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

describe('the config as a whole', () => {
  it.each<Row>([
    ['must be there', undefined, `~: is required: an object of ${TOP_KEYS}`],
    ['must not be null', null, `~: must be an object of ${TOP_KEYS}`],
    ['must be an object', 'deny', `~: must be an object of ${TOP_KEYS}`],
    ['must not be a list', [], `~: must be an object of ${TOP_KEYS}`],
    [
      'a misspelt key is an error that lists the allowed keys',
      config({ onUnavailble: 'fail-closed' }),
      `~: unknown key 'onUnavailble'; allowed: ${TOP_KEYS}`,
    ],
    [
      'all misspelt keys are told',
      config({ fallBack: 'deny', route: [] }),
      `~: unknown keys 'fallBack', 'route'; allowed: ${TOP_KEYS}`,
    ],
    [
      'a key that is not built yet is unknown',
      config({ audit: true }),
      `~: unknown key 'audit'; allowed: ${TOP_KEYS}`,
    ],
    [
      'verifyConditions must be one of three',
      config({ verifyConditions: 'strict' }),
      `~.verifyConditions: must be true, 'required' or false, not "strict"`,
    ],
    [
      'maxConditionBytes must not be nothing',
      config({ maxConditionBytes: 0 }),
      '~.maxConditionBytes: must be a whole number from 1 to 90000, not 0',
    ],
    [
      'maxConditionBytes must not be over what Backstage takes',
      config({ maxConditionBytes: 90_001 }),
      '~.maxConditionBytes: must be a whole number from 1 to 90000, not 90001',
    ],
    [
      'the fallback is required',
      config({ fallback: undefined }),
      "~.fallback: is required: 'allow' or 'deny'",
    ],
    [
      'the fallback is no null',
      config({ fallback: null }),
      "~.fallback: must be 'allow' or 'deny'",
    ],
    [
      'the fallback is compared exactly',
      config({ fallback: 'ALLOW' }),
      `~.fallback: must be 'allow' or 'deny', not "ALLOW"`,
    ],
    [
      'the fallback is no boolean',
      config({ fallback: true }),
      "~.fallback: must be 'allow' or 'deny', not true",
    ],
    [
      'a request without a user cannot be allowed as such',
      config({ anonymous: 'allow' }),
      `~.anonymous: must be 'deny' or 'evaluate', not "allow"`,
    ],
    [
      'a failure mode is one of two',
      config({ onUnavailable: 'open' }),
      `~.onUnavailable: must be 'fail-closed' or 'fail-open', not "open"`,
    ],
    [
      'routes are required',
      config({ routes: undefined }),
      '~.routes: is required: a list of routes',
    ],
    [
      'routes are a list',
      config({ routes: { prefix: '' } }),
      '~.routes: must be a list of routes',
    ],
    [
      'an empty routing table is an error',
      config({ routes: [] }),
      '~.routes: is an empty list; name one or more routes',
    ],
    [
      'sources are an object',
      config({ sources: [OPA], routes: [{ prefix: '', sources: ['deny'] }] }),
      '~.sources: must be an object of { <name>: { type, … } }',
    ],
    [
      'a routing file has a name',
      config({ routingFile: '' }),
      '~.routingFile: must be the path of a YAML file that holds fallback and routes, not empty',
    ],
  ])('%s', expectProblems);
});

describe('a source', () => {
  it.each<Row>([
    [
      'must not take the name of a built-in one',
      config({ sources: { opa: OPA, ownership: OWNERSHIP, allow: OPA, deny: OPA } }),
      "~.sources: the name 'allow' is reserved for the built-in source",
      "~.sources: the name 'deny' is reserved for the built-in source",
    ],
    [
      'has a name that a log line can hold',
      config({
        sources: {
          opa: OPA,
          ownership: OWNERSHIP,
          'a\n[31mb': OPA,
          [`${'x'.repeat(65)}`]: OPA,
        },
      }),
      ...['"a\\n[31mb"', `"${'x'.repeat(65)}"`].map(
        name =>
          `~.sources: the name ${name} must have 1 to 64 characters, without white space or control characters`,
      ),
    ],
    [
      'has a type',
      config({ sources: { opa: OPA, ownership: {} } }),
      "~.sources.ownership.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted'",
    ],
    [
      'is an object',
      config({ sources: { opa: OPA, ownership: null } }),
      "~.sources.ownership.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted'",
    ],
    [
      'of a type that is not built is an error',
      config({ sources: { opa: OPA, ownership: { type: 'policy' } } }),
      "~.sources.ownership.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted', not 'policy'",
    ],
    [
      'of a type named like a member of objects is an error',
      config({ sources: { opa: OPA, ownership: { type: 'constructor' } } }),
      "~.sources.ownership.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted', not 'constructor'",
    ],
  ])('%s', expectProblems);
});

describe('a route', () => {
  it.each<Row>([
    [
      'is an object',
      config({ routes: ['catalog', ROUTE] }),
      `~.routes[0]: must be an object of ${ROUTE_KEYS}`,
    ],
    [
      'has no misspelt key',
      withRoute({ source: ['opa'] }),
      `~.routes[0]: unknown key 'source'; allowed: ${ROUTE_KEYS}`,
    ],
    [
      'has a prefix',
      withRoute({ prefix: undefined }),
      "~.routes[0].prefix: is required: a permission prefix such as 'catalog.entity', or '' for every permission",
    ],
    [
      'has a prefix that is text',
      withRoute({ prefix: 1 }),
      '~.routes[0].prefix: must be a string',
    ],
    [
      'has a prefix without empty segments',
      withRoute({ prefix: 'a..b' }),
      "~.routes[0].prefix: 'a..b' has an empty segment; write '' or '*' to match every permission",
    ],
    [
      'has a prefix, not a pattern',
      withRoute({ prefix: '*.read' }),
      "~.routes[0].prefix: '*.read' has a '*' that is not its last segment; a prefix is not a pattern",
    ],
    [
      'knows no other actions than Backstage and none',
      withRoute({ actions: ['read', 'raed'] }),
      `~.routes[0].actions[1]: must be 'create' or 'read' or 'update' or 'delete' or 'none', not "raed"`,
    ],
    [
      'has no empty actions',
      withRoute({ actions: [] }),
      '~.routes[0].actions: is an empty list; name one or more actions',
    ],
    [
      'has a list of actions',
      withRoute({ actions: 'read' }),
      '~.routes[0].actions: must be a list of actions',
    ],
    [
      'names no action twice',
      withRoute({ actions: ['read', 'read'] }),
      '~.routes[0].actions: names the same value twice',
    ],
    [
      'has no empty resource types',
      withRoute({ resourceTypes: [] }),
      '~.routes[0].resourceTypes: is an empty list; name one or more resource types',
    ],
    [
      'has resource types that are text',
      withRoute({ resourceTypes: [5] }),
      '~.routes[0].resourceTypes[0]: must be a resource type',
    ],
    [
      'has resource types without white space',
      withRoute({ resourceTypes: ['catalog entity'] }),
      '~.routes[0].resourceTypes[0]: must be a resource type, without white space, not "catalog entity"',
    ],
    [
      'has sources',
      withRoute({ sources: undefined }),
      '~.routes[0].sources: is required: a list of source names',
    ],
    [
      'has one source or more',
      withRoute({ sources: [] }),
      '~.routes[0].sources: is an empty list; name one or more source names',
    ],
    [
      'names no source twice',
      withRoute({ sources: ['opa', 'opa'] }),
      '~.routes[0].sources: names the same value twice',
    ],
    [
      'combines by one of the algorithms',
      withRoute({ combine: 'permit-overrides' }),
      `~.routes[0].combine: must be 'deny-overrides' or 'allow-overrides' or 'first-applicable', not "permit-overrides"`,
    ],
    [
      'has a default that is one of two',
      withRoute({ default: 'abstain' }),
      `~.routes[0].default: must be 'allow' or 'deny', not "abstain"`,
    ],
  ])('%s', expectProblems);
});

describe('names like those of object members', () => {
  it('name sources like others, and pollute nothing', () => {
    const { config: read } = readConfig(
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

  it('name no source where Backstage drops the key', () => {
    const sources = JSON.parse('{ "__proto__": { "type": "ownership" } }') as object;
    const routes = [{ prefix: '', sources: ['allow'] }];
    const [problem] = problems(config({ sources, routes }));
    expect(problem).toMatch("~.sources: the name '__proto__' cannot be used");
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });

  it.each([
    ['the config', (odd: object) => ({ ...config(), ...odd }), '~'],
    ['a source', withOpa, '~.sources.opa'],
    ['a route', withRoute, '~.routes[0]'],
  ])('are unknown keys of %s', (_where, place, path) => {
    const odd = JSON.parse('{ "__proto__": { "fallback": "allow" } }') as object;
    const [problem, ...others] = problems(place(odd));
    expect(problem).toMatch(`${path}: unknown key '__proto__'; allowed: `);
    expect(others).toEqual([]);
  });
});
