import {
  routingFilePath,
  type RoutingFileContent,
} from '../../src/config/merge-routing-file';
import { readConfig } from '../../src/config/read';
import { CONFIG_PATH, ConfigError } from '../../src/config/types';
import { tlsFixture } from '../support/tls-fixture';

const OPA = {
  type: 'opa',
  baseUrl: 'https://opa.example.com',
  entrypoint: 'backstage_policy/decision',
};
const OWNERSHIP = { type: 'ownership' };
const ROUTE = { prefix: '', sources: ['opa', 'ownership'] };
const CA = tlsFixture('ca.pem');
const CERT = tlsFixture('client.pem');
const KEY = tlsFixture('client.key');

const config = (changes: object = {}) => ({
  fallback: 'deny',
  sources: { opa: OPA, ownership: OWNERSHIP },
  routes: [ROUTE],
  ...changes,
});
const withOpa = (changes: object) =>
  config({ sources: { opa: { ...OPA, ...changes }, ownership: OWNERSHIP } });
const withOwnership = (changes: object) =>
  config({ sources: { opa: OPA, ownership: { ...OWNERSHIP, ...changes } } });
const withRoute = (changes: object) => config({ routes: [{ ...ROUTE, ...changes }] });
const withRoutes = (...routes: object[]) =>
  config({
    routes: routes.map(route => ({ sources: ['opa', 'ownership'], ...route })),
  });

function errorOf(raw: unknown, file?: RoutingFileContent): ConfigError | undefined {
  try {
    readConfig(raw, file);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** Each problem as `path: message`; `~` stands for `permission.policyRouter`. */
const problems = (raw: unknown, file?: RoutingFileContent): string[] =>
  (errorOf(raw, file)?.problems ?? []).map(
    ({ path, message }) => `${path.replace(CONFIG_PATH, '~')}: ${message}`,
  );

const TOP_KEYS =
  'routingFile, fallback, anonymous, onUnavailable, deadline, verifyConditions, maxConditionBytes, sources, routes';
const OPA_KEYS =
  'type, baseUrl, entrypoint, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby, maxResponseBytes, auth, tls';
const ROUTE_KEYS =
  'prefix, actions, resourceTypes, sources, combine, onUnavailable, default';
const PEM_HINT = 'as PEM text (Backstage reads a file with $file)';

/** Every row: the rule, a config that breaks it, and all the problems that are told. */
type Row = [rule: string, raw: unknown, ...problems: string[]];
const expectProblems = (_rule: string, raw: unknown, ...expected: string[]): void => {
  expect(problems(raw)).toEqual(expected);
};

/** Where one mistake may lead to a second. */
const expectAmong = (_rule: string, raw: unknown, ...expected: string[]): void => {
  expect(problems(raw)).toEqual(expect.arrayContaining(expected));
};

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
        ['allow', { type: 'allow' }],
        ['deny', { type: 'deny' }],
        [
          'opa',
          {
            type: 'opa',
            endpoints: ['https://opa.example.com', 'https://opa-2.example.com'],
            options: {
              entrypoint: 'backstage_policy/decision',
              maxResponseBytes: 1024,
              token: 'a-long-token',
              tls: { ca: CA, cert: CERT, key: KEY },
            },
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
          },
        ],
        [
          'embedded',
          {
            type: 'opa-wasm',
            options: expect.objectContaining({
              bundle: '/bundle.tar.gz',
              entrypoint: 'a/b',
            }) as unknown,
          },
        ],
        [
          'ownership',
          {
            type: 'ownership',
            options: {
              bypass: ['group:default/platform'],
              kinds: ['component', 'api'],
              resources: new Map([
                ['tool', { pluginId: 'tools', rule: 'IS_OWNER', param: 'refs' }],
              ]),
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
      endpoints: ['http://127.0.0.1:8181'],
      options: expect.objectContaining({ maxResponseBytes: 1_048_576 }) as unknown,
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
    });
    expect(read.sources.get('ownership')).toEqual({
      type: 'ownership',
      options: { bypass: [], resources: new Map() },
    });
    expect(read.routes[0]).toMatchObject({
      combine: 'deny-overrides',
      default: 'deny',
    });
  });

  it('may replace the owner rule of entities', () => {
    const resources = { 'catalog-entity': { pluginId: 'a', rule: 'b', param: 'c' } };
    expect(problems(withOwnership({ resources }))).toEqual([]);
  });

  it('may name one kind, with owner rules of other resource types', () => {
    const resources = { tool: { pluginId: 'tools', rule: 'IS_OWNER', param: 'refs' } };
    const raw = withOwnership({ kinds: ['Component'], resources });
    expect(problems(raw)).toEqual([]);
  });

  it('may give a part of the circuit breaker', () => {
    const raw = withOpa({ circuitBreaker: { errorThreshold: 20 } });
    expect(readConfig(raw).config.sources.get('opa')).toMatchObject({
      guard: { circuitBreaker: { errorThreshold: 20, rollingWindow: 10_000 } },
    });
  });

  it('may leave out all sources: allow and deny are built in', () => {
    const routes = [{ prefix: '', sources: ['allow'] }];
    const { sources } = readConfig(config({ sources: undefined, routes })).config;
    expect([...sources.keys()]).toEqual(['allow', 'deny']);
  });

  it("takes numbers from environment variables: '64' is 64", () => {
    const { sources } = readConfig(
      withOpa({
        concurrency: '64',
        queue: '0',
        maxResponseBytes: '2147483647',
        circuitBreaker: {
          errorThreshold: '99',
          volumeThreshold: '1',
        },
      }),
    ).config;
    expect(sources.get('opa')).toMatchObject({
      options: { maxResponseBytes: 2_147_483_647 },
      guard: {
        concurrency: 64,
        queue: 0,
        circuitBreaker: { errorThreshold: 99, volumeThreshold: 1 },
      },
    });
  });

  it.each([
    ['http://127.0.0.1:8181'],
    ['https://opa.example.com/behind/a/path/'],
    ['http://[::1]:8181'],
    ['unix:/run/opa.sock'],
  ])('may reach OPA at %s', baseUrl => {
    expect(problems(withOpa({ baseUrl }))).toEqual([]);
  });

  it('may give TLS to every endpoint of a list', () => {
    const baseUrl = ['https://a', 'HTTPS://b'];
    expect(problems(withOpa({ baseUrl, tls: { ca: CA } }))).toEqual([]);
  });

  it.each([
    ['ca alone', { ca: CA }],
    ['cert and key', { cert: CERT, key: KEY }],
    ['ca, cert and key', { ca: CA, cert: CERT, key: KEY }],
  ])('may give for TLS %s', (_what, tls) => {
    expect(problems(withOpa({ tls }))).toEqual([]);
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

describe('a duration', () => {
  const refused = (value: string) =>
    "~.sources.opa.timeout: must be a duration such as '500ms', '2s', 'PT0.5S' or " +
    `{ milliseconds: 500 }, above zero and at most 2147483647 ms${value}`;

  it.each<Row>([
    ['as a bare number has no unit', withOpa({ timeout: 500 }), refused(', not 500')],
    ['as digits has no unit', withOpa({ timeout: '500' }), refused(', not "500"')],
    ['must not be negative', withOpa({ timeout: '-1s' }), refused(', not "-1s"')],
    [
      'must not be negative (object)',
      withOpa({ timeout: { seconds: -1 } }),
      refused(''),
    ],
    ['must not be zero', withOpa({ timeout: '0s' }), refused(', not "0s"')],
    ['must not be zero (object)', withOpa({ timeout: { seconds: 0 } }), refused('')],
    ['must not be empty', withOpa({ timeout: '' }), refused(', not ""')],
    ['must not be an empty object', withOpa({ timeout: {} }), refused('')],
    ['must not be a list', withOpa({ timeout: ['1s'] }), refused('')],
    ['must not be a boolean', withOpa({ timeout: true }), refused(', not true')],
    ['must be understood', withOpa({ timeout: 'soon' }), refused(', not "soon"')],
    [
      'must not mix known and unknown units',
      withOpa({ timeout: { seconds: 1, secnds: 1 } }),
      refused(''),
    ],
    [
      'must fit a timer of Node.js, else it would fire at once',
      withOpa({ timeout: { milliseconds: 2 ** 31 } }),
      refused(''),
    ],
    [
      'must fit a timer of Node.js (days)',
      withOpa({ timeout: '25d' }),
      refused(', not "25d"'),
    ],
    [
      "of '500m' is minutes, and longer than the deadline",
      withOpa({ timeout: '500m' }),
      '~.sources.opa.timeout: 30000000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('%s', expectProblems);

  it.each([
    ['500ms', 500],
    ['500 ms', 500],
    ['2s', 2000],
    ['PT0.5S', 500],
    ['PT1M', 60_000],
    [{ milliseconds: 500 }, 500],
    [{ seconds: 1, milliseconds: 500 }, 1500],
    [{ milliseconds: '500' }, 500],
    [{ milliseconds: 2 ** 31 - 1 }, 2 ** 31 - 1],
  ])('%j is %d ms', (deadline, milliseconds) => {
    const raw = {
      ...withOpa({ timeout: { milliseconds: 1 } }),
      deadline,
    };
    expect(readConfig(raw).config.deadline).toBe(milliseconds);
  });

  it.each<Row>([
    [
      'of the deadline is told at the deadline',
      config({ deadline: 'never' }),
      "~.deadline: must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, " +
        'above zero and at most 2147483647 ms, not "never"',
    ],
    [
      'of the breaker is told at the breaker',
      withOpa({ circuitBreaker: { rollingWindow: 10, resetTimeout: '0ms' } }),
      ...['rollingWindow|10|3600000', 'resetTimeout|"0ms"|2147483647'].map(each => {
        const [key, value, longest] = each.split('|');
        return (
          `~.sources.opa.circuitBreaker.${key}: must be a duration such as '500ms', '2s', 'PT0.5S' or ` +
          `{ milliseconds: 500 }, above zero and at most ${longest} ms, not ${value}`
        );
      }),
    ],
    [
      'of a source must not outlast the deadline',
      withOpa({ timeout: '2001ms' }),
      '~.sources.opa.timeout: 2001 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('%s', expectProblems);

  it('of a source must not be as long as the deadline: it would never be had whole', () => {
    expect(problems(withOpa({ timeout: '2s' }))).toEqual([
      '~.sources.opa.timeout: 2000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ]);
    expect(problems(withOpa({ timeout: '1999ms' }))).toEqual([]);
  });
});

describe('a source', () => {
  it.each<Row>([
    [
      'must not take the name of a built-in one',
      config({ sources: { opa: OPA, ownership: OWNERSHIP, allow: OPA, deny: OPA } }),
      "~.sources: the name 'allow' is taken by the built-in source",
      "~.sources: the name 'deny' is taken by the built-in source",
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
    [
      'opa has no misspelt key',
      withOpa({ timout: '1s' }),
      `~.sources.opa: unknown key 'timout'; allowed: ${OPA_KEYS}`,
    ],
    [
      'opa has no misspelt key in its breaker',
      withOpa({ circuitBreaker: { threshold: 50 } }),
      "~.sources.opa.circuitBreaker: unknown key 'threshold'; allowed: errorThreshold, volumeThreshold, rollingWindow, resetTimeout",
    ],
    [
      'opa-wasm has no misspelt key',
      config({
        sources: {
          opa: { type: 'opa-wasm', bundle: 'b', entrypoint: 'a', timeout: '1s' },
          ownership: OWNERSHIP,
        },
      }),
      "~.sources.opa: unknown key 'timeout'; allowed: type, bundle, entrypoint",
    ],
    [
      'ownership has no misspelt key',
      withOwnership({ bypas: ['group:default/platform'] }),
      "~.sources.ownership: unknown key 'bypas'; allowed: type, bypass, kinds, resources",
    ],
    [
      'opa needs a URL and an entrypoint',
      withOpa({ baseUrl: undefined, entrypoint: undefined }),
      "~.sources.opa.baseUrl: is required: a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
      "~.sources.opa.entrypoint: is required: the path of a decision, such as 'backstage_policy/decision'",
    ],
    [
      'opa-wasm needs a bundle and an entrypoint',
      config({ sources: { opa: { type: 'opa-wasm' }, ownership: OWNERSHIP } }),
      "~.sources.opa.bundle: is required: the path of a bundle.tar.gz built by 'opa build -t wasm'",
      "~.sources.opa.entrypoint: is required: the path of a decision, such as 'backstage_policy/decision'",
    ],
    [
      'has a failure mode that is one of two',
      withOpa({ onUnavailable: 'allow' }),
      `~.sources.opa.onUnavailable: must be 'fail-closed' or 'fail-open', not "allow"`,
    ],
  ])('%s', expectProblems);

  it.each([
    ['a scheme', 'opa.example.com:8181'],
    ['http or https', 'ftp://opa.example.com'],
    ['a host', 'http://'],
    ['no space before it', ' http://opa.example.com'],
  ])('has a URL with %s', (_what, baseUrl) => {
    expect(problems(withOpa({ baseUrl }))).toEqual([
      "~.sources.opa.baseUrl: must be 'http://…', 'https://…' or 'unix:/path/to/socket'",
    ]);
  });

  it.each(['unix:', 'unix:/', 'unix:run/opa.sock', 'unix:///run/opa.sock'])(
    "has a socket by its absolute path, not '%s'",
    baseUrl => {
      expect(problems(withOpa({ baseUrl }))).toEqual([
        "~.sources.opa.baseUrl: must name a socket by its absolute path: 'unix:/path/to/socket'",
      ]);
    },
  );

  it.each(['http://opa?token=1', 'http://opa/#top'])(
    "has a URL without query and fragment, not '%s'",
    baseUrl => {
      expect(problems(withOpa({ baseUrl }))).toEqual([
        '~.sources.opa.baseUrl: must not have a query or a fragment',
      ]);
    },
  );

  it('may have one URL in a list, which is the same as without', () => {
    const one = readConfig(withOpa({ baseUrl: OPA.baseUrl })).config;
    expect(readConfig(withOpa({ baseUrl: [OPA.baseUrl] })).config).toEqual(one);
  });

  it('has the endpoints of a list in its order', () => {
    const baseUrl = ['https://b.example.com', 'https://a.example.com/opa', 'unix:/c'];
    expect(readConfig(withOpa({ baseUrl })).config.sources.get('opa')).toMatchObject({
      endpoints: baseUrl,
    });
  });

  it.each<Row>([
    [
      'a list of no URL',
      withOpa({ baseUrl: [] }),
      '~.sources.opa.baseUrl: is an empty list; name one or more URLs',
    ],
    [
      'a URL twice',
      withOpa({ baseUrl: ['http://a', 'http://b', 'http://a'] }),
      '~.sources.opa.baseUrl: names the same value twice',
    ],
    [
      'a server with and without a slash at its end',
      withOpa({ baseUrl: ['http://a/opa', 'http://b', 'http://a/opa/'] }),
      '~.sources.opa.baseUrl: names the same server twice',
    ],
    [
      'a server in other letters, with the port it has anyway',
      withOpa({ baseUrl: ['http://opa', 'HTTP://OPA:80/'] }),
      '~.sources.opa.baseUrl: names the same server twice',
    ],
    [
      'a socket twice',
      withOpa({ baseUrl: ['unix:/run/opa.sock', 'unix:/run/opa.sock/'] }),
      '~.sources.opa.baseUrl: names the same server twice',
    ],
    [
      'what is no URL, each with its place in the list',
      withOpa({ baseUrl: ['http://a', 'ftp://b', 8181, '', 'http://c?x=1'] }),
      "~.sources.opa.baseUrl[1]: must be 'http://…', 'https://…' or 'unix:/path/to/socket'",
      "~.sources.opa.baseUrl[2]: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
      "~.sources.opa.baseUrl[3]: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket', not empty",
      '~.sources.opa.baseUrl[4]: must not have a query or a fragment',
    ],
    [
      'a number',
      withOpa({ baseUrl: 8181 }),
      "~.sources.opa.baseUrl: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
    ],
    [
      'an object',
      withOpa({ baseUrl: { 0: 'http://a' } }),
      "~.sources.opa.baseUrl: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
    ],
    [
      'nothing',
      withOpa({ baseUrl: null }),
      "~.sources.opa.baseUrl: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
    ],
  ])('does not take for its endpoints %s', expectProblems);

  it('of different paths on one server has two endpoints', () => {
    expect(problems(withOpa({ baseUrl: ['http://a/one', 'http://a/two'] }))).toEqual(
      [],
    );
  });

  it.each(['/a', 'a/', 'a//b', 'a b', 'a?b', 'a#b'])(
    "has an entrypoint of whole segments, not '%s'",
    entrypoint => {
      expect(problems(withOpa({ entrypoint }))).toEqual([
        "~.sources.opa.entrypoint: must be segments joined by '/', such as 'backstage_policy/decision'",
      ]);
    },
  );
});

describe('a whole number', () => {
  it.each<[string, object, string]>([
    [
      'has a lower bound',
      { concurrency: 0 },
      'concurrency: must be a whole number from 1 to 10000, not 0',
    ],
    [
      'has an upper bound',
      { concurrency: 10_001 },
      'concurrency: must be a whole number from 1 to 10000, not 10001',
    ],
    [
      'has its bounds as text too',
      { queue: '100001' },
      'queue: must be a whole number from 0 to 100000, not 100001',
    ],
    [
      'must not be negative',
      { queue: -1 },
      'queue: must be a whole number from 0 to 100000, not -1',
    ],
    [
      'must not be negative as text',
      { queue: '-1' },
      'queue: must be a whole number from 0 to 100000, not -1',
    ],
    [
      'has no fraction',
      { concurrency: 1.5 },
      'concurrency: must be a whole number from 1 to 10000, not 1.5',
    ],
    [
      'has no exponent',
      { concurrency: '1e3' },
      'concurrency: must be a whole number from 1 to 10000, not "1e3"',
    ],
    [
      'must not be empty',
      { concurrency: '' },
      'concurrency: must be a whole number from 1 to 10000, not ""',
    ],
    [
      'must not be a word',
      { concurrency: 'many' },
      'concurrency: must be a whole number from 1 to 10000, not "many"',
    ],
    [
      'must not be true',
      { concurrency: true },
      'concurrency: must be a whole number from 1 to 10000, not true',
    ],
    [
      'must not be null',
      { concurrency: null },
      'concurrency: must be a whole number from 1 to 10000',
    ],
    [
      'must not be NaN',
      { concurrency: NaN },
      'concurrency: must be a whole number from 1 to 10000',
    ],
    [
      'of bytes is at least one',
      { maxResponseBytes: 0 },
      'maxResponseBytes: must be a whole number from 1 to 2147483647, not 0',
    ],
    [
      'of percent is less than all',
      { circuitBreaker: { errorThreshold: 100 } },
      'circuitBreaker.errorThreshold: must be a whole number from 1 to 99, not 100',
    ],
    [
      'of questions is at least one',
      { circuitBreaker: { volumeThreshold: 0 } },
      'circuitBreaker.volumeThreshold: must be a whole number from 1 to 1000000, not 0',
    ],
  ])('%s', (_rule, changes, problem) => {
    const [first, ...others] = problems(withOpa(changes));
    expect(first).toContain(`~.sources.opa.${problem}`);
    expect(others).toEqual([]);
  });
});

describe('secrets', () => {
  it.each<Row>([
    [
      'auth is an object',
      withOpa({ auth: 'hunter2' }),
      '~.sources.opa.auth: must be an object of token',
    ],
    [
      'a token is required in auth',
      withOpa({ auth: {} }),
      '~.sources.opa.auth.token: is required: a bearer token',
    ],
    [
      'a token is not empty',
      withOpa({ auth: { token: '' } }),
      '~.sources.opa.auth.token: must be a bearer token, not empty',
    ],
    [
      'a token is text',
      withOpa({ auth: { token: 12345 } }),
      '~.sources.opa.auth.token: must be a bearer token',
    ],
    [
      'a token has no white space',
      withOpa({ auth: { token: 'a token\n' } }),
      '~.sources.opa.auth.token: must be a bearer token: 8 or more printable characters without white space',
    ],
    [
      'a key belongs to its certificate',
      withOpa({ tls: { cert: CERT, key: tlsFixture('server.key') } }),
      '~.sources.opa.tls: cannot be used: is it whole, and does key belong to cert?',
    ],
    [
      'a key is whole',
      withOpa({ tls: { cert: CERT, key: KEY.slice(0, 60) } }),
      '~.sources.opa.tls: cannot be used: is it whole, and does key belong to cert?',
    ],
    [
      'a key is PEM text',
      withOpa({ tls: { cert: CERT, key: 'hunter2' } }),
      `~.sources.opa.tls.key: must be the key of the client certificate ${PEM_HINT}`,
    ],
    [
      'a certificate is PEM text',
      withOpa({ tls: { cert: './cert.pem', key: KEY } }),
      `~.sources.opa.tls.cert: must be a client certificate ${PEM_HINT}`,
    ],
    [
      'an authority is PEM text',
      withOpa({ tls: { ca: './ca.pem' } }),
      `~.sources.opa.tls.ca: must be a certificate authority ${PEM_HINT}`,
    ],
    [
      'a certificate needs its key',
      withOpa({ tls: { cert: CERT } }),
      '~.sources.opa.tls: cert and key go together',
    ],
    [
      'a key needs its certificate',
      withOpa({ tls: { ca: CA, key: KEY } }),
      '~.sources.opa.tls: cert and key go together',
    ],
    [
      'tls is not empty',
      withOpa({ tls: {} }),
      '~.sources.opa.tls: is empty; give ca, or cert and key',
    ],
    [
      'tls has no misspelt key',
      withOpa({ tls: { ca: CA, insecure: true } }),
      '~.sources.opa.tls: unknown key; allowed: ca, cert, key',
    ],
    [
      'a token is no word',
      withOpa({ auth: { token: 'catalog' } }),
      '~.sources.opa.auth.token: must be a bearer token: 8 or more printable characters without white space',
    ],
    [
      'a URL has no line end in it',
      withOpa({ baseUrl: ['http://one.example.com', 'http://ot\nher.example.com'] }),
      '~.sources.opa.baseUrl[1]: must not hold white space or control characters',
    ],
    [
      'a socket has no NUL in its path',
      withOpa({ baseUrl: 'unix:/run/opa\0.sock' }),
      '~.sources.opa.baseUrl: must not hold white space or control characters',
    ],
    [
      'a socket has a path that the system takes',
      withOpa({ baseUrl: `unix:/${'x'.repeat(107)}` }),
      '~.sources.opa.baseUrl: must name a socket by a path of at most 107 bytes',
    ],
    [
      'a token without its colon is not repeated',
      withOpa({ auth: { 'token hunter2': null } }),
      '~.sources.opa.auth.token: is required: a bearer token',
      '~.sources.opa.auth: unknown key; allowed: token',
    ],
    [
      'tls needs https',
      withOpa({ baseUrl: 'http://127.0.0.1:8181', tls: { ca: CA } }),
      '~.sources.opa.tls: has no effect unless baseUrl is https://…',
    ],
    [
      'tls is not for sockets',
      withOpa({ baseUrl: 'unix:/run/opa.sock', tls: { ca: CA } }),
      '~.sources.opa.tls: has no effect unless baseUrl is https://…',
    ],
    [
      'tls is not for a list with another scheme in it, which is named',
      withOpa({ baseUrl: ['https://a', 'http://b', 'https://c'], tls: { ca: CA } }),
      '~.sources.opa.tls: has no effect unless baseUrl is https://…, and http://b is not',
    ],
    [
      'credentials in one URL of a list are refused',
      withOpa({ baseUrl: ['https://a', 'https://olivia:hunter2@b'] }),
      '~.sources.opa.baseUrl[1]: must not hold credentials; put a token in auth.token',
    ],
    [
      'credentials in the URL are refused',
      withOpa({ baseUrl: 'https://olivia:hunter2@opa.example.com' }),
      '~.sources.opa.baseUrl: must not hold credentials; put a token in auth.token',
    ],
    [
      'a user without password in the URL is refused',
      withOpa({ baseUrl: 'https://hunter2@opa.example.com' }),
      '~.sources.opa.baseUrl: must not hold credentials; put a token in auth.token',
    ],
  ])('%s', expectAmong);

  const SECRET = 'hunter2-hunter2';
  it.each([
    ['a token in place of auth', { auth: SECRET }],
    ['a token of two words', { auth: { token: `${SECRET} ${SECRET}` } }],
    ['a token in a list', { auth: { token: [SECRET] } }],
    ['a token in an object', { auth: { token: { value: SECRET } } }],
    ['a token under a misspelt key', { auth: { tokn: SECRET } }],
    ['a list of tokens', { auth: [SECRET] }],
    ['a key in place of tls', { tls: SECRET }],
    ['a key that is no PEM text', { tls: { cert: CERT, key: SECRET } }],
    ['a key in a list', { tls: { cert: CERT, key: [SECRET] } }],
    ['a key without its certificate', { tls: { key: `${KEY}${SECRET}` } }],
    ['a certificate that is no PEM text', { tls: { cert: SECRET, key: KEY } }],
    ['a broken key', { tls: { cert: CERT, key: KEY.replace('\n', `\n${SECRET}`) } }],
    ['credentials in a URL', { baseUrl: `https://a:${SECRET}@opa` }],
    ['credentials in a URL of no host', { baseUrl: `https://a:${SECRET}@` }],
    ['credentials in a URL of another scheme', { baseUrl: `ftp://a:${SECRET}@opa` }],
    ['credentials in a URL with one slash', { baseUrl: `https:/a:${SECRET}@opa` }],
    ['credentials in a URL in a list', { baseUrl: [`https://a:${SECRET}@opa`] }],
    ['a token in the query of a URL', { baseUrl: `https://opa?token=${SECRET}` }],
  ])('are not printed: %s', (_what, changes) => {
    const error = errorOf(withOpa(changes));
    expect(error).toBeDefined();
    expect(
      JSON.stringify([error?.message, error?.problems, error?.stack]),
    ).not.toContain(SECRET);
  });
});

const BAD_KIND =
  "must be an entity kind such as 'Component': a letter, then up to 62 letters and digits";

describe('ownership', () => {
  it.each<Row>([
    [
      'has whole entity refs for its bypass',
      withOwnership({ bypass: ['group:default/a', 'platform'] }),
      `~.sources.ownership.bypass[1]: must be a whole entity ref such as 'group:default/platform', not "platform"`,
    ],
    [
      'has a kind in every ref of its bypass',
      withOwnership({ bypass: ['default/platform'] }),
      `~.sources.ownership.bypass[0]: must be a whole entity ref such as 'group:default/platform', not "default/platform"`,
    ],
    [
      'has no empty bypass',
      withOwnership({ bypass: [] }),
      '~.sources.ownership.bypass: is an empty list; name one or more entity refs',
    ],
    [
      'names nobody twice in its bypass',
      withOwnership({ bypass: ['group:default/a', 'group:default/a'] }),
      '~.sources.ownership.bypass: names the same value twice',
    ],
    [
      'has a list for its bypass',
      withOwnership({ bypass: 'group:default/a' }),
      '~.sources.ownership.bypass: must be a list of entity refs',
    ],
    [
      'has a list for its kinds',
      withOwnership({ kinds: 'Component' }),
      '~.sources.ownership.kinds: must be a list of entity kinds',
    ],
    [
      'has no empty kinds',
      withOwnership({ kinds: [] }),
      '~.sources.ownership.kinds: is an empty list; name one or more entity kinds',
    ],
    [
      'names no kind twice, whatever the letter case',
      withOwnership({ kinds: ['Component', 'API', 'component'] }),
      '~.sources.ownership.kinds: names the same value twice',
    ],
    [
      'has kinds that an entity can have',
      withOwnership({
        kinds: ['Component,API', '', 7, '2nd', 'component:default/a', 'K'.repeat(64)],
      }),
      `~.sources.ownership.kinds[0]: ${BAD_KIND}, not "Component,API"`,
      "~.sources.ownership.kinds[1]: must be an entity kind such as 'Component', not empty",
      "~.sources.ownership.kinds[2]: must be an entity kind such as 'Component'",
      `~.sources.ownership.kinds[3]: ${BAD_KIND}, not "2nd"`,
      `~.sources.ownership.kinds[4]: ${BAD_KIND}, not "component:default/a"`,
      `~.sources.ownership.kinds[5]: ${BAD_KIND}, not "${'K'.repeat(64)}"`,
    ],
    [
      'has no kinds where its rule for entities is replaced',
      withOwnership({
        kinds: ['Component'],
        resources: { 'catalog-entity': { pluginId: 'a', rule: 'b', param: 'c' } },
      }),
      '~.sources.ownership.kinds: has no effect: resources replaces the rule of catalog-entity',
    ],
    [
      'has whole owner rules',
      withOwnership({ resources: { tool: { pluginId: 'tools', rule: '' } } }),
      "~.sources.ownership.resources.tool.rule: must be the name of the plugin's owner rule, not empty",
      "~.sources.ownership.resources.tool.param: is required: the rule's parameter that takes the user's refs",
    ],
    [
      'has owner rules that a plugin can have',
      withOwnership({
        resources: { tool: { pluginId: 'tools/..', rule: 'IS OWNER', param: ' ' } },
      }),
      "~.sources.ownership.resources.tool.pluginId: must be the id of a plugin such as 'catalog': up to 64 letters, digits, '-' and '_', not \"tools/..\"",
      '~.sources.ownership.resources.tool.rule: must be the name of the plugin\'s owner rule, without white space, not "IS OWNER"',
      '~.sources.ownership.resources.tool.param: must be the rule\'s parameter that takes the user\'s refs, without white space, not " "',
    ],
    ...['', 'billing invoice'].map((resourceType): [string, object, string] => [
      `has no owner rule of the resource type '${resourceType}'`,
      withOwnership({
        resources: { [resourceType]: { pluginId: 'a', rule: 'b', param: 'c' } },
      }),
      `~.sources.ownership.resources.${resourceType}: must be a resource type, without white space`,
    ]),
    [
      'has no misspelt key in an owner rule',
      withOwnership({
        resources: { tool: { pluginId: 'a', rule: 'b', param: 'c', params: 'd' } },
      }),
      "~.sources.ownership.resources.tool: unknown key 'params'; allowed: pluginId, rule, param",
    ],
    [
      'has its owner rules by resource type',
      withOwnership({ resources: [] }),
      '~.sources.ownership.resources: must be an object of { <resourceType>: { pluginId, rule, param } }',
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
      "~.routes[0].prefix: '*.read' has a '*' that is not its last segment; a prefix is no pattern",
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
      'names known sources only',
      withRoute({ sources: ['opa', 'oppa', 'hosted'] }),
      "~.routes[0].sources[1]: unknown source 'oppa'; allowed: 'allow', 'deny', 'opa', 'ownership'",
      "~.routes[0].sources[2]: unknown source 'hosted'; allowed: 'allow', 'deny', 'opa', 'ownership'",
    ],
    [
      'knows no sources named like members of objects',
      withRoute({ sources: ['constructor', '__proto__'] }),
      "~.routes[0].sources[0]: unknown source 'constructor'; allowed: 'allow', 'deny', 'opa', 'ownership'",
      "~.routes[0].sources[1]: unknown source '__proto__'; allowed: 'allow', 'deny', 'opa', 'ownership'",
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
    [
      'that ties with another is an error',
      withRoutes(
        { prefix: 'a' },
        { prefix: 'b' },
        { prefix: 'a.*', sources: ['deny'] },
      ),
      "~.routes[2]: ties with routes[0]: prefix 'a' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
    [
      'of actions ties with one of resource types',
      withRoutes(
        { prefix: 'a', actions: ['read'] },
        { prefix: 'a', resourceTypes: ['catalog-entity'] },
      ),
      "~.routes[1]: ties with routes[0]: prefix 'a' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
    [
      'that ties is named by its place in the list, behind broken ones too',
      withRoutes({ prefix: 1 }, { prefix: 'a' }, { prefix: 'a.' }),
      '~.routes[0].prefix: must be a string',
      "~.routes[2]: ties with routes[1]: prefix 'a' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
  ])('%s', expectProblems);

  it('of disjoint actions does not tie', () => {
    const raw = withRoutes(
      { prefix: 'a', actions: ['read'] },
      { prefix: 'a', actions: ['update', 'none'] },
    );
    expect(problems(raw)).toEqual([]);
  });
});

describe('fail-open', () => {
  const silences = (algorithm: string) =>
    `~.routes[0].onUnavailable: fail-open would silence the healthy sources of a route that combines by ${algorithm}; ` +
    "allowed: 'fail-closed', or combine: deny-overrides";
  const combining = (combine: string, changes: object = {}) =>
    config({ routes: [{ ...ROUTE, combine }], ...changes });
  const openSource = {
    sources: { opa: { ...OPA, onUnavailable: 'fail-open' }, ownership: OWNERSHIP },
  };

  it.each(['allow-overrides', 'first-applicable'])(
    'of the router is an error on a route of several sources by %s',
    combine => {
      const raw = combining(combine, { onUnavailable: 'fail-open' });
      expect(problems(raw)).toEqual([silences(combine)]);
    },
  );

  it.each(['allow-overrides', 'first-applicable'])(
    'of a source is an error on a route of several sources by %s',
    combine => {
      expect(problems(combining(combine, openSource))).toEqual([silences(combine)]);
    },
  );

  it.each(['allow-overrides', 'first-applicable'])(
    'of the route is an error where it has several sources by %s',
    combine => {
      const raw = withRoute({ combine, onUnavailable: 'fail-open' });
      expect(problems(raw)).toEqual([silences(combine)]);
    },
  );

  it.each([
    ['is no error by deny-overrides', combining('deny-overrides', openSource)],
    [
      'is no error on a route of one source',
      withRoute({
        sources: ['opa'],
        combine: 'first-applicable',
        onUnavailable: 'fail-open',
      }),
    ],
    [
      'of the router is no error where the source fails closed',
      {
        ...withOpa({ onUnavailable: 'fail-closed' }),
        onUnavailable: 'fail-open',
        routes: [{ ...ROUTE, combine: 'allow-overrides' }],
      },
    ],
    [
      'of a source is no error where the route fails closed',
      config({
        ...openSource,
        routes: [
          { ...ROUTE, combine: 'allow-overrides', onUnavailable: 'fail-closed' },
        ],
      }),
    ],
    [
      'of the router is no error on a route of sources that cannot be unavailable',
      config({
        onUnavailable: 'fail-open',
        routes: [
          { prefix: '', sources: ['ownership', 'deny'], combine: 'allow-overrides' },
        ],
      }),
    ],
  ])('%s', (_rule, raw) => {
    expect(problems(raw)).toEqual([]);
  });

  it.each(['fail-open', 'fail-closed'])(
    'or fail-closed on a route none of whose sources can be unavailable is an error: %s',
    onUnavailable => {
      const raw = withRoute({ sources: ['ownership', 'allow', 'deny'], onUnavailable });
      expect(problems(raw)).toEqual([
        '~.routes[0].onUnavailable: has no effect: none of the sources of this route can be unavailable',
      ]);
    },
  );
});

describe('the routing file', () => {
  const path = './config/routing.yaml';
  const raw = config({ routingFile: path, fallback: undefined, routes: undefined });
  const table = { fallback: 'allow', routes: [ROUTE] };
  const fileProblems = (content: unknown, app: unknown = raw) =>
    problems(app, { path, content });

  it('gives the fallback and the routes', () => {
    const read = readConfig(raw, { path, content: table }).config;
    expect(read.fallback).toBe('allow');
    expect(read.routes).toMatchObject([{ prefix: '', sources: ['opa', 'ownership'] }]);
  });

  it.each([
    ['the fallback', { fallback: 'deny' }, ['fallback']],
    ['routes', { routes: [ROUTE] }, ['routes']],
    ['both', { fallback: 'deny', routes: [ROUTE] }, ['fallback', 'routes']],
    ['a fallback of null', { fallback: null }, ['fallback']],
  ])('must not stand beside %s in app-config', (_what, changes, keys) => {
    expect(fileProblems(table, { ...raw, ...changes })).toEqual(
      keys.map(
        key =>
          `~.${key}: stands beside routingFile, which holds fallback and routes; keep one of them`,
      ),
    );
  });

  it.each([
    ['must not be empty', null, `${path}: must hold fallback and routes, but is empty`],
    [
      'must hold something',
      undefined,
      `${path}: must hold fallback and routes, but is empty`,
    ],
    [
      'must not be text',
      'deny',
      `${path}: must hold fallback and routes, but is no object`,
    ],
    [
      'must not be a list',
      [ROUTE],
      `${path}: must hold fallback and routes, but is no object`,
    ],
    [
      'has no unknown key',
      { ...table, sources: {} },
      `${path}: unknown key 'sources'; allowed: fallback, routes`,
    ],
    [
      'has no key that would change prototypes',
      { ...table, ...(JSON.parse('{ "__proto__": {} }') as object) },
      `${path}: unknown key '__proto__'; allowed: fallback, routes`,
    ],
    [
      'has the fallback',
      { routes: [ROUTE] },
      `${path}: fallback: is required: 'allow' or 'deny'`,
    ],
    [
      'has routes',
      { fallback: 'deny' },
      `${path}: routes: is required: a list of routes`,
    ],
    [
      'is named in the paths of its problems',
      { fallback: 'deny', routes: [{ prefix: '', sources: ['oppa'] }] },
      `${path}: routes[0].sources[0]: unknown source 'oppa'; allowed: 'allow', 'deny', 'opa', 'ownership'`,
    ],
    [
      'is named where routes tie',
      { fallback: 'deny', routes: [ROUTE, { ...ROUTE, sources: ['deny'] }] },
      `${path}: routes[1]: ties with routes[0]: prefix '*' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint`,
    ],
  ])('%s', (_rule, content, problem) => {
    expect(fileProblems(content)).toContain(problem);
  });

  it('is told of together with what is wrong in app-config', () => {
    const content = { ...table, fallback: 'closed', route: [] };
    expect(fileProblems(content, { ...raw, anonymous: 'allow' }).sort()).toEqual([
      `${path}: fallback: must be 'allow' or 'deny', not "closed"`,
      `${path}: unknown key 'route'; allowed: fallback, routes`,
      `~.anonymous: must be 'deny' or 'evaluate', not "allow"`,
    ]);
  });

  it('leaves to app-config the paths of its own problems', () => {
    expect(fileProblems(table, { ...raw, anonymous: 'allow' })).toEqual([
      `~.anonymous: must be 'deny' or 'evaluate', not "allow"`,
    ]);
  });

  it.each([
    ['as it is written', { routingFile: path }, path],
    ['as nothing when empty', { routingFile: '' }, undefined],
    ['as nothing when it is no text', { routingFile: 1 }, undefined],
    ['as nothing when there is none', {}, undefined],
    ['as nothing when there is no config', undefined, undefined],
    ['as nothing when the config is a list', [], undefined],
  ])('has its path %s', (_how, value, expected) => {
    expect(routingFilePath(value)).toBe(expected);
  });
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
    expect(problem).toMatch('~.sources: the name "__proto__" must have ');
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

describe('what is allowed, but perhaps not meant, is a warning', () => {
  const warnings = (raw: unknown, file?: RoutingFileContent) =>
    readConfig(raw, file).warnings;

  it('of a source that no route names', () => {
    const raw = config({ routes: [{ prefix: '', sources: ['opa'] }] });
    expect(warnings(raw)).toEqual([
      'permission.policyRouter.sources.ownership: no route names this source',
    ]);
  });

  it('of no source that stands in for one that a route names, nor for its standby', () => {
    const raw = config({
      sources: {
        opa: { ...OPA, standby: 'second' },
        second: { ...OPA, standby: 'ownership' },
        ownership: OWNERSHIP,
        spare: { ...OPA, standby: 'behind' },
        behind: OWNERSHIP,
      },
      routes: [{ prefix: '', sources: ['opa'] }],
    });
    expect(warnings(raw)).toEqual([
      'permission.policyRouter.sources.spare: no route names this source',
      'permission.policyRouter.sources.behind: no route names this source',
    ]);
  });

  it('of a constrained prefix, with where the rest falls', () => {
    expect(warnings(withRoute({ prefix: 'catalog', actions: ['read'] }))).toEqual([
      "permission.policyRouter.routes[0]: prefix 'catalog' has no route without constraints: " +
        'its other permissions fall to the fallback (deny)',
    ]);
  });

  it('of a route that no permission can reach', () => {
    const raw = withRoutes(
      { prefix: '' },
      { prefix: '', actions: ['create', 'read', 'update', 'delete', 'none'] },
    );
    expect(warnings(raw)).toEqual([
      "permission.policyRouter.routes[0]: can never be reached: routes[1] take every action of '*'",
    ]);
  });

  it('with the path of the routing file, if the routes are there', () => {
    const raw = config({
      fallback: undefined,
      routes: undefined,
      routingFile: 'r.yaml',
    });
    const content = { fallback: 'allow', routes: [{ ...ROUTE, actions: ['read'] }] };
    expect(warnings(raw, { path: 'r.yaml', content })).toEqual([
      "r.yaml: routes[0]: prefix '*' has no route without constraints: " +
        'its other permissions fall to the fallback (allow)',
    ]);
  });
});
