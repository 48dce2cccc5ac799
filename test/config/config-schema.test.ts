/** config.d.ts, as Backstage reads it: together with the schemas of the packages we depend on. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@backstage/types';
import { loadConfigSchema, type ConfigSchema } from '@backstage/config-loader';
import ts from 'typescript';
import { parse } from 'yaml';
import { NOTHING_PROVIDED } from '../../src/config/hosted';
import { readConfig } from '../../src/config/read';
import { ConfigError } from '../../src/config/types';
import { KINDS } from '../../src/sources/kinds';
import * as leastPrivilege from '../support/least-privilege';
import { tlsFixture } from '../support/tls-fixture';

const ROOT = join(__dirname, '../..');
const TLS = {
  ca: tlsFixture('ca.pem'),
  cert: tlsFixture('client.pem'),
  key: tlsFixture('client.key'),
};

/** Every key of every object, but for those that exclude each other. */
const FULL = {
  fallback: 'deny',
  observe: { answer: 'rbac', until: '2027-01-31' },
  anonymous: 'deny',
  onUnavailable: 'fail-closed',
  deadline: '2s',
  verifyConditions: 'required',
  maxConditionBytes: 65_536,
  operators: ['Group:default/Platform', 'user:default/petra'],
  audit: 'all',
  recentDecisions: 10,
  whenAskedWithoutResource: 'deny',
  declared: { plugins: ['search'] },
  shadow: { opa: 'embedded', ownership: { source: 'yaml', percent: 10 } },
  sources: {
    opa: {
      type: 'opa',
      baseUrl: 'https://opa.example.com',
      entrypoint: 'backstage_policy/decision',
      timeout: { milliseconds: 500 },
      concurrency: 64,
      queue: 256,
      batch: 'policy_router/batch',
      maxResponseBytes: 1_048_576,
      circuitBreaker: {
        errorThreshold: 50,
        volumeThreshold: 5,
        rollingWindow: '10s',
        resetTimeout: 'PT10S',
        distinctUsers: 2,
      },
      auth: { token: 'the-token' },
      tls: TLS,
      onUnavailable: 'fail-open',
      standby: 'embedded',
    },
    embedded: {
      type: 'opa-wasm',
      bundle: './bundle.tar.gz',
      entrypoint: 'backstage_policy/decision',
    },
    rbac: {
      type: 'hosted',
      timeout: '1s',
      concurrency: 64,
      queue: 256,
      circuitBreaker: {
        errorThreshold: 50,
        volumeThreshold: 5,
        rollingWindow: '10s',
        resetTimeout: 'PT10S',
        distinctUsers: 2,
      },
      onUnavailable: 'fail-closed',
      standby: 'ownership',
    },
    ownership: {
      type: 'ownership',
      bypass: ['group:default/platform'],
      kinds: ['Component', 'API', 'Resource'],
      resources: { tool: { pluginId: 'tools', rule: 'IS_MINE', param: 'refs' } },
    },
    yaml: {
      type: 'conditions',
      rules: [
        {
          permissions: ['catalog.entity'],
          actions: ['read', 'none'],
          resourceTypes: ['catalog-entity'],
          groups: ['group:default/payments'],
          pluginId: 'catalog',
          conditions: {
            anyOf: [
              { not: { rule: 'HAS_LABEL', params: { label: 'a', value: 'b' } } },
              { allOf: [{ rule: 'HAS_SPEC', params: { key: 'a' } }] },
              { rule: 'IS_ENTITY_OWNER', params: { claims: '$ownershipRefs' } },
              { rule: 'IS_ENTITY_KIND', params: { kinds: ['API'] } },
            ],
          },
        },
        { result: 'deny' },
      ],
      otherwise: 'deny',
    },
  },
  routes: [
    {
      prefix: 'catalog',
      actions: ['read', 'none'],
      resourceTypes: ['catalog-entity'],
      sources: ['ownership', 'opa', 'embedded', 'rbac'],
      combine: 'deny-overrides',
      onUnavailable: 'fail-closed',
      default: 'deny',
      observe: { answer: 'allow', until: '2027-01-31T09:00:00+01:00' },
    },
    { name: 'ros/Openshift on Azure/mobile', sources: ['rbac'], observe: false },
  ],
};

type Path = ReadonlyArray<string | number>;
const OPA: Path = ['sources', 'opa'];
const RBAC: Path = ['sources', 'rbac'];
const RULE: Path = ['sources', 'yaml', 'rules', 0];
const TOOL: Path = ['sources', 'ownership', 'resources', 'tool'];

function withValue(
  value: unknown,
  [key, ...rest]: Path,
  replacement: unknown,
): unknown {
  if (key === undefined) return replacement;
  const copy = Array.isArray(value)
    ? [...(value as unknown[])]
    : { ...(value as object) };
  const slots = copy as Record<string | number, unknown>;
  slots[key] = withValue(slots[key], rest, replacement);
  return copy;
}
const full = (path: Path, value: unknown): unknown => withValue(FULL, path, value);

/** What the schemas of other packages require; one of them requires `permission.rbac`. */
const INSTALLATION = {
  app: { baseUrl: 'http://localhost:3000' },
  backend: {
    baseUrl: 'http://localhost:7007',
    listen: ':7007',
    database: { client: 'better-sqlite3', connection: ':memory:' },
  },
};

let schema: ConfigSchema;
/** That of `backstage-cli config:check --strict`. */
let strictSchema: ConfigSchema;
beforeAll(async () => {
  const options = { dependencies: [], packagePaths: [join(ROOT, 'package.json')] };
  schema = await loadConfigSchema(options);
  strictSchema = await loadConfigSchema({
    ...options,
    noUndeclaredProperties: true,
    excludePackageDependencies: true,
  });
});

type Visibility = 'frontend' | 'backend' | 'secret';

/** What Backstage takes of our config at this visibility. */
function taken(policyRouter: unknown, visibility?: Visibility): unknown {
  const data = {
    ...INSTALLATION,
    permission: { rbac: {}, policyRouter },
  } as JsonObject;
  const options = visibility ? { visibility: [visibility] } : {};
  const [processed] = schema.process([{ data, context: 'test' }], options);
  const { permission } = processed!.data as { permission?: { policyRouter?: unknown } };
  return permission?.policyRouter;
}

/** What our own validator says, one problem a line. */
async function refusal(raw: unknown): Promise<string> {
  try {
    await readConfig(raw, undefined, { ...NOTHING_PROVIDED, names: ['rbac'] });
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe('the config schema', () => {
  it('takes a config of every key, as our validator does', async () => {
    expect(taken(FULL)).toEqual(FULL);
    expect(await refusal(FULL)).toBe('');
  });

  it('takes numbers from environment variables', async () => {
    const raw = full([...OPA, 'concurrency'], '64');
    expect(taken(raw)).toEqual(raw);
    expect(await refusal(raw)).toBe('');
  });

  it('takes one endpoint or a list of them', async () => {
    const baseUrl = ['https://opa.example.com', 'https://opa-2.example.com'];
    const raw = full([...OPA, 'baseUrl'], baseUrl);
    expect(taken(raw)).toEqual(raw);
    expect(await refusal(raw)).toBe('');
  });

  it('takes no config at all', () => {
    expect(taken(undefined)).toBeUndefined();
  });

  it('takes a routing file in place of fallback and routes', () => {
    const raw = {
      ...FULL,
      routingFile: './routing.yaml',
      observeInRoutingFile: true,
    } as Record<string, unknown>;
    delete raw.fallback;
    delete raw.routes;
    expect(taken(raw)).toEqual(raw);
  });

  it.each<[what: string, path: Path, value: unknown]>([
    ['a fallback of another value', ['fallback'], 'closed'],
    ['observe as a word', ['observe'], 'allow'],
    ['observe without an end', ['observe', 'until'], undefined],
    ['observe that is false', ['observe'], false],
    ['observe of a route that is true', ['routes', 0, 'observe'], true],
    ['observe of a route without an end', ['routes', 0, 'observe', 'until'], undefined],
    ['a failure mode of another value', ['onUnavailable'], 'open'],
    ['a list of sources', ['sources'], []],
    ['an audit mode of another value', ['audit'], 'everything'],
    ['operators by name', ['operators'], { platform: true }],
    ['a word for a number of decisions', ['recentDecisions'], 'many'],
    ['routes by name', ['routes'], { catalog: {} }],
    ['a list for another source', ['shadow', 'opa'], ['embedded']],
    ['a comparison with nothing', ['shadow', 'opa'], { percent: 10 }],
    ['a word for a number', [...OPA, 'concurrency'], 'many'],
    ['a word for an object', [...OPA, 'circuitBreaker'], 'off'],
    ['a list for a duration', [...OPA, 'timeout'], ['500ms']],
    ['an object for a token', [...OPA, 'auth', 'token'], { value: 'x' }],
    ['auth without a token', [...OPA, 'auth'], {}],
    ['a source without a type', [...OPA, 'type'], undefined],
    ['a source of another type', [...OPA, 'type'], 'policy'],
    ['an OPA with URLs by name', [...OPA, 'baseUrl'], { first: 'https://opa' }],
    [
      'an OPA with a list of more than URLs',
      [...OPA, 'baseUrl'],
      [{ url: 'https://opa' }],
    ],
    ['a list of standbys', [...OPA, 'standby'], ['embedded', 'ownership']],
    ['kinds by name', ['sources', 'ownership', 'kinds'], { Component: true }],
    ['a list of more than kinds', ['sources', 'ownership', 'kinds'], [['API']]],
    ['an owner rule without its parameter', [...TOOL, 'param'], undefined],
    ['rules by name', ['sources', 'yaml', 'rules'], { first: { result: 'deny' } }],
    ['a rule with another result', ['sources', 'yaml', 'rules', 1, 'result'], 'ALLOW'],
    ['a rule with a list of conditions', [...RULE, 'conditions'], []],
    ['a rule with an action of another value', [...RULE, 'actions'], ['raed']],
    ['another result for others', ['sources', 'yaml', 'otherwise'], 'allow'],
    ['an action of another value', ['routes', 0, 'actions'], ['raed']],
    ['a list of names', ['routes', 1, 'name'], ['a', 'b']],
    ['a route without sources', ['routes', 0, 'sources'], undefined],
    ['another algorithm', ['routes', 0, 'combine'], 'majority'],
    ['another default', ['routes', 0, 'default'], 'abstain'],
  ])('refuses %s, as our validator does', async (_what, path, value) => {
    expect(() => taken(full(path, value))).toThrow('Config validation failed');
    expect(await refusal(full(path, value))).not.toBe('');
  });
});

/** What `config:check --strict` says of our config, one line for each mistake. */
function strictly(policyRouter: unknown): readonly string[] {
  const data = { permission: { policyRouter } } as JsonObject;
  try {
    strictSchema.process([{ data, context: 'test' }]);
    return [];
  } catch (error) {
    return (error as { messages: string[] }).messages;
  }
}

describe('config:check --strict', () => {
  it('takes a config of every key', () => {
    expect(strictly(FULL)).toEqual([]);
  });

  it.each<[what: string, path: Path]>([
    ['the router', []],
    ['a source of type opa', OPA],
    ['the breaker of a source', [...OPA, 'circuitBreaker']],
    ['the auth of a source', [...OPA, 'auth']],
    ['the tls of a source', [...OPA, 'tls']],
    ['a source of type opa-wasm', ['sources', 'embedded']],
    ['a source of type hosted', RBAC],
    ['a source of type ownership', ['sources', 'ownership']],
    ['an owner rule', TOOL],
    ['a source of type conditions', ['sources', 'yaml']],
    ['a rule of a source', RULE],
    ['a route', ['routes', 0]],
  ])('reports an unknown key of %s once', (_what, path) => {
    const at = ['permission', 'policyRouter', ...path].join('/');
    expect(strictly(full([...path, 'unheardOf'], 1))).toEqual([
      `Config must NOT have additional properties { additionalProperty=unheardOf } at /${at}`,
    ]);
  });

  it.each<[what: string, path: Path, value: unknown, message: string]>([
    [
      'a word for a number',
      [...OPA, 'queue'],
      'many',
      'must be number { type=number }',
    ],
    [
      'a list for a path',
      ['routes', 0, 'prefix'],
      ['a', 'b'],
      'must be string { type=string }',
    ],
    [
      'a source of another type',
      [...OPA, 'type'],
      'policy',
      'must be equal to one of the allowed values { allowedValues=opa,opa-wasm,ownership,conditions,hosted }',
    ],
    [
      'a failure mode of another value',
      [...OPA, 'onUnavailable'],
      'open',
      'must be equal to one of the allowed values { allowedValues=fail-closed,fail-open }',
    ],
  ])('reports %s once', (_what, path, value, message) => {
    const at = ['permission', 'policyRouter', ...path].join('/');
    expect(strictly(full(path, value))).toEqual([`Config ${message} at /${at}`]);
  });

  it.each<[what: string, raw: unknown, problem: string]>([
    [
      'an OPA without a URL',
      full([...OPA, 'baseUrl'], undefined),
      'sources.opa.baseUrl: is required',
    ],
    [
      'a bundle without an entrypoint',
      full(['sources', 'embedded', 'entrypoint'], undefined),
      'sources.embedded.entrypoint: is required',
    ],
    [
      'a key of another type of source',
      full([...OPA, 'bundle'], './bundle.tar.gz'),
      "sources.opa: unknown key 'bundle'; allowed: type, baseUrl, ",
    ],
  ])('leaves %s to the router', async (_what, raw, problem) => {
    expect(strictly(raw)).toEqual([]);
    expect(await refusal(raw)).toContain(problem);
  });
});

describe('the visibility of the config', () => {
  const SECRETS = {
    sources: {
      opa: { auth: { token: 'the-token' }, tls: { key: TLS.key } },
    },
  };

  it('of the token and the key is secret, and of nothing else', () => {
    expect(taken(FULL, 'secret')).toEqual(SECRETS);
  });

  it('is known to the kinds of sources, so that they show no secret', () => {
    const pathsOf = (value: object): string[] =>
      Object.entries(value).flatMap(([key, inner]) =>
        typeof inner === 'object'
          ? pathsOf(inner as object).map(path => `${key}.${path}`)
          : [key],
      );
    const known = KINDS.flatMap(({ type, secrets }) =>
      secrets.map(path => [type, ...path].join('.')),
    );
    expect(pathsOf(SECRETS.sources).sort()).toEqual(known.sort());
  });

  it('of all the rest is the backend', () => {
    const { opa } = FULL.sources;
    const { ca, cert } = TLS;
    const rest = full(OPA, { ...opa, auth: {}, tls: { ca, cert } });
    expect(taken(FULL, 'backend')).toEqual(rest);
  });

  it('of nothing is the frontend', () => {
    expect(taken(FULL, 'frontend')).toBeUndefined();
  });
});

describe('the config that users copy', () => {
  const OPA_URL = 'http://127.0.0.1:8181';
  const read = async (file: string): Promise<unknown> => {
    const text = await readFile(join(ROOT, 'config', file), 'utf8');
    return parse(text.replaceAll('${OPA_URL}', OPA_URL)) as unknown;
  };

  it.each(['app-config.yaml', 'app-config.embedded.yaml'])(
    '%s is valid, with the routing table, without a warning',
    async file => {
      const app = (await read(file)) as {
        permission: { policyRouter: { routingFile: string } };
      };
      const { policyRouter } = app.permission;
      const content = await read('routing.yaml');
      expect(taken(policyRouter)).toEqual(policyRouter);
      expect(taken(content)).toEqual(content);

      const path = policyRouter.routingFile;
      expect(path).toBe('./config/routing.yaml');
      const { config, warnings } = await readConfig(policyRouter, { path, content });
      expect(warnings).toEqual([]);
      expect(config.fallback).toBe('deny');
    },
  );
});

describe('config/least-privilege.yaml', () => {
  const { routingFile: path } = leastPrivilege.policyRouter;

  it('is valid, with what its head says, without a warning', async () => {
    const { policyRouter, table: content } = leastPrivilege;
    expect(taken(policyRouter)).toEqual(policyRouter);
    expect(taken(content)).toEqual(content);
    const { config, warnings } = await readConfig(policyRouter, { path, content });
    expect(warnings).toEqual([]);
    expect(config.fallback).toBe('deny');
  });

  it('names itself, and can take the kinds in its comment', async () => {
    expect(path).toBe('./config/least-privilege.yaml');
    const text = await readFile(join(ROOT, path), 'utf8');
    const [, commented] = /^# +# (kinds: .*)$/m.exec(text)!;
    const kinds = parse(commented!) as object;
    expect(
      await refusal(full(['sources', 'ownership'], { type: 'ownership', ...kinds })),
    ).toBe('');
  });
});

describe('the routes that the tables have in comments', () => {
  const policyRouterOf = async (file: string): Promise<object> => {
    const app = parse(await readFile(join(ROOT, 'config', file), 'utf8')) as {
      permission: { policyRouter: object };
    };
    return app.permission.policyRouter;
  };

  it.each([
    ['routing.yaml', 'app-config.embedded.yaml'],
    ['least-privilege.yaml', undefined],
  ])('are valid in config/%s, without a warning', async (file, app) => {
    const text = await readFile(join(ROOT, 'config', file), 'utf8');
    const opened = text.replace(
      /^ {2}# (- prefix: .*)\n {2}# {3}(sources: .*)$/gm,
      '  $1\n    $2',
    );
    const content = parse(opened) as { routes: unknown[] };
    const shipped = parse(text) as { routes: unknown[] };
    expect(content.routes.length).toBeGreaterThan(shipped.routes.length + 10);
    const settings = app ? await policyRouterOf(app) : leastPrivilege.policyRouter;
    const { warnings } = await readConfig(settings, { path: file, content });
    expect(warnings).toEqual([]);
  });
});

describe('the standby that app-config.yaml has in comments', () => {
  it('is valid once they are taken off', async () => {
    const text = await readFile(join(ROOT, 'config/app-config.yaml'), 'utf8');
    const commented = /# (?=standby:|embedded:| {2}(type|bundle|entrypoint):)/g;
    const raw = parse(
      text.replaceAll('${OPA_URL}', 'http://127.0.0.1:8181').replace(commented, ''),
    ) as { permission: { policyRouter: object } };
    const { policyRouter } = raw.permission;
    const routes = [{ prefix: '', sources: ['opa', 'ownership'] }];
    const { config, warnings } = await readConfig({
      ...policyRouter,
      routingFile: undefined,
      fallback: 'deny',
      routes,
    });
    expect(warnings).toEqual([]);
    expect(config.sources.get('opa')).toMatchObject({
      remote: { standby: 'embedded' },
    });
    expect(config.sources.get('embedded')).toMatchObject({ type: 'opa-wasm' });
  });
});

/** The part of JSON schema that config.d.ts is turned into. */
interface JsonSchema {
  readonly properties?: Record<string, JsonSchema>;
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: JsonSchema[];
  readonly enum?: string[];
  readonly description?: string;
}

describe('config.d.ts and our validator', () => {
  let router: JsonSchema;
  beforeAll(() => {
    const { schemas } = schema.serialize() as unknown as {
      schemas: Array<{ packageName: string; value: JsonSchema }>;
    };
    const ours = schemas.find(({ packageName }) =>
      packageName.endsWith('policy-router'),
    );
    router = ours!.value.properties!.permission!.properties!.policyRouter!;
  });

  /** The schema at a path of the config. */
  const at = (path: Path): JsonSchema =>
    path.reduce<JsonSchema>(
      (node, key) =>
        (typeof key === 'number'
          ? node.items
          : (node.properties?.[key] ?? node.additionalProperties))!,
      router,
    );

  const OBJECTS: Array<[name: string, path: Path]> = [
    ['the router', []],
    ['the breaker of a source', [...OPA, 'circuitBreaker']],
    ['the auth of a source', [...OPA, 'auth']],
    ['the tls of a source', [...OPA, 'tls']],
    ['an owner rule', TOOL],
    ['a rule of a source', RULE],
    ['a route', ['routes', 0]],
    ['whom to ask', ['declared']],
    ['who answers', ['observe']],
  ];

  /** The keys of each interface, with those of what it extends. */
  const INTERFACES = new Map<string, string[]>();
  const { statements } = ts.createSourceFile(
    'config.d.ts',
    readFileSync(join(ROOT, 'config.d.ts'), 'utf8'),
    ts.ScriptTarget.Latest,
  );
  for (const statement of statements) {
    if (!ts.isInterfaceDeclaration(statement)) continue;
    const nameOf = (node: unknown): string => (node as ts.Identifier).text;
    const extended = (statement.heritageClauses ?? []).flatMap(({ types }) =>
      types.flatMap(({ expression }) => INTERFACES.get(nameOf(expression))!),
    );
    const own = statement.members.map(({ name }) => nameOf(name));
    INTERFACES.set(nameOf(statement.name), [...extended, ...own]);
  }

  const BY_TYPE: Array<[type: string, interfaceName: string, path: Path]> = [
    ['opa', 'OpaSource', OPA],
    ['opa-wasm', 'OpaWasmSource', ['sources', 'embedded']],
    ['ownership', 'OwnershipSource', ['sources', 'ownership']],
    ['conditions', 'ConditionsSource', ['sources', 'yaml']],
    ['hosted', 'HostedSource', RBAC],
  ];

  it.each(BY_TYPE)(
    'know the same keys of a source of type %s',
    async (_type, interfaceName, path) => {
      const refused = await refusal(full([...path, 'unheardOf'], 1));
      const accepted = /unknown key 'unheardOf'; allowed: (.*)/.exec(refused)![1]!;
      expect(['type', ...INTERFACES.get(interfaceName)!].sort()).toEqual(
        accepted.split(', ').sort(),
      );
    },
  );

  it('know the same sources, with the keys of every type', () => {
    expect(BY_TYPE.map(([type]) => type)).toEqual(KINDS.map(({ type }) => type));
    const keys = BY_TYPE.flatMap(([, name]) => INTERFACES.get(name)!);
    expect(Object.keys(at(OPA).properties!).sort()).toEqual(
      [...new Set(['type', ...keys])].sort(),
    );
  });

  it('accept every key that is documented of a source', () => {
    const used = Object.values(FULL.sources).flatMap(source => Object.keys(source));
    expect([...new Set(used)].sort()).toEqual(Object.keys(at(OPA).properties!).sort());
  });

  it.each(OBJECTS)('know the same keys of %s', async (_name, path) => {
    const documented = Object.keys(at(path).properties!);
    const refused = await refusal(full([...path, 'unheardOf'], 1));
    const accepted = /unknown key(?: 'unheardOf')?; allowed: (.*)/
      .exec(refused)![1]!
      .split(', ');
    expect(documented.sort()).toEqual(accepted.sort());
  });

  it.each(OBJECTS)('accept every key that is documented of %s', (_name, path) => {
    const used = path.reduce<unknown>(
      (value, key) => (value as Record<string | number, unknown>)[key],
      FULL,
    );
    // `routingFile` with its settings, a route's `name` and a rule's `result` exclude other keys. They have tests of
    // their own.
    const isOfRoute = path[0] === 'routes';
    const documented = Object.keys(at(path).properties!).filter(
      key =>
        key !== 'routingFile' &&
        key !== 'observeInRoutingFile' &&
        key !== 'result' &&
        !(isOfRoute && key === 'name'),
    );
    expect(documented.sort()).toEqual(Object.keys(used as object).sort());
  });

  it('have no other objects but durations', () => {
    const objectsOf = (node: JsonSchema): JsonSchema[] =>
      [
        node,
        ...Object.values(node.properties ?? {}).flatMap(objectsOf),
        ...[node.items, node.additionalProperties, ...(node.anyOf ?? [])]
          .filter(each => typeof each === 'object')
          .flatMap(objectsOf),
      ].filter(({ properties }) => properties && !properties.milliseconds);
    // These, a source, a source to compare with, and who answers for a route (or false).
    expect(objectsOf(router)).toHaveLength(OBJECTS.length + 3);
  });

  it.each<[key: string, path: Path]>([
    ['fallback', ['fallback']],
    ['anonymous', ['anonymous']],
    ['onUnavailable', ['onUnavailable']],
    ['the onUnavailable of a source', [...OPA, 'onUnavailable']],
    ['the onUnavailable of a route', ['routes', 0, 'onUnavailable']],
    ['combine', ['routes', 0, 'combine']],
    ['default', ['routes', 0, 'default']],
    ['actions', ['routes', 0, 'actions', 0]],
    ['the actions of a rule', [...RULE, 'actions', 0]],
    ['the result of a rule', ['sources', 'yaml', 'rules', 1, 'result']],
    ['otherwise', ['sources', 'yaml', 'otherwise']],
  ])('know the same values of %s', async (_key, path) => {
    const refused = await refusal(full(path, 'unheard-of'));
    const accepted = /must be (.*), not "unheard-of"/.exec(refused)![1]!;
    expect(
      at(path)
        .enum!.map(value => `'${value}'`)
        .sort(),
    ).toEqual(accepted.split(' or ').sort());
  });

  it('know the same types of sources', async () => {
    const types = at([...OPA, 'type']).enum!;
    const refused = await refusal(full([...OPA, 'type'], 'unheard-of'));
    const accepted = /must be one of (.*), not 'unheard-of'/.exec(refused)![1]!;
    expect(types.map(type => `'${type}'`).sort()).toEqual(accepted.split(', ').sort());
  });

  it.each([...OBJECTS, ['a source', OPA] as const])(
    'explain every key of %s',
    (_name, path) => {
      const silent = Object.entries(at(path).properties!)
        .filter(([key, { description }]) => key !== 'type' && !description)
        .map(([key]) => key);
      expect(silent).toEqual([]);
    },
  );
});
