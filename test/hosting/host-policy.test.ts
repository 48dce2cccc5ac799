/** What `hostPolicy` makes of everything that `backend.add` accepts. */
import { setImmediate as turn } from 'node:timers/promises';
import {
  coreServices,
  createBackendFeatureLoader,
  createBackendModule,
  createBackendPlugin,
  createExtensionPoint,
  createServiceFactory,
  createServiceRef,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import {
  policyExtensionPoint,
  type PolicyExtensionPoint,
} from '@backstage/plugin-permission-node/alpha';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { hostingExtensionPoint } from '../../src/hosting/extension-points';
import { hostPolicy, type HostableFeature } from '../../src/hosting/host-policy';

const policy: PermissionPolicy = {
  handle: async () => ({ result: AuthorizeResult.ALLOW }),
};

/** The parts of a backend feature that Backstage's types do not expose. */
interface Internal extends BackendFeature {
  readonly description?: string;
  readonly deps?: object;
  getRegistrations(): Registration[];
  loader(deps: object): Promise<Internal[]>;
}
interface Registration {
  readonly type: string;
  readonly init: {
    readonly deps: Readonly<Record<string, unknown>>;
    readonly func: (deps: object) => Promise<void>;
  };
}
const internal = (feature: unknown): Internal => feature as Internal;

/** The features that the backend would load, through nested loaders too. */
async function load(feature: unknown, deps: object = {}): Promise<Internal[]> {
  const loaded = await internal(feature).loader(deps);
  const features = loaded.map(each =>
    'loader' in each ? load(each, deps) : Promise.resolve([each]),
  );
  return (await Promise.all(features)).flat();
}

/** The modules of a feature that depend on the extension point of hosted policies. */
const hostsIn = (features: readonly Internal[]): Registration[] =>
  features
    .flatMap(each => ('getRegistrations' in each ? each.getRegistrations() : []))
    .filter(({ init }) => Object.values(init.deps).includes(hostingExtensionPoint));

/** The names of the policies that are provided once the backend has started the feature. */
async function providedBy(feature: unknown, deps: object = {}): Promise<unknown> {
  const provided = new ProvidedPolicies();
  for (const { init } of hostsIn(await load(feature, deps))) {
    const points = Object.keys(init.deps).map(key => [key, provided] as const);
    await init.func(Object.fromEntries(points));
  }
  return provided.names;
}

/** A module's registration in the current format; frozen, because wrapping must not change it. */
const registrationOf = (
  deps: object,
  more: object = {},
  func: (deps: Record<string, unknown>) => Promise<void> = async () => {},
): Registration =>
  Object.freeze({
    type: 'module-v1.1',
    pluginId: 'permission',
    moduleId: 'team-policy',
    extensionPoints: [],
    connections: [],
    init: Object.freeze({ deps: Object.freeze(deps), func, later: 'a later key' }),
    ...more,
  }) as unknown as Registration;

const featureOf = (...registrations: Registration[]) => ({
  $$type: '@backstage/BackendFeature' as const,
  version: 'v1',
  featureType: 'registrations',
  getRegistrations: jest.fn(() => registrations),
});

/** The registrations of the one feature, wrapped as `team`. */
async function wrapped(...registrations: Registration[]): Promise<Registration[]> {
  const [feature] = await load(hostPolicy('team', featureOf(...registrations)));
  return feature!.getRegistrations();
}

/** A policy module as packages publish them. */
const settingModule = (moduleId: string): BackendFeature =>
  createBackendModule({
    pluginId: 'permission',
    moduleId,
    register(registration) {
      registration.registerInit({
        deps: { policy: policyExtensionPoint },
        async init(deps) {
          deps.policy.setPolicy(policy);
        },
      });
    },
  });

const withoutPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'other',
  register(registration) {
    registration.registerInit({
      deps: { logger: coreServices.logger },
      async init() {},
    });
  },
});

const service = createServiceFactory({
  service: createServiceRef<string>({ id: 'team.words', scope: 'root' }),
  deps: {},
  factory: () => 'words',
});

describe('a wrapped registration', () => {
  it.each(['policy', 'permission', 'func', 'constructor', '__proto__'])(
    'has our extension point for that of Backstage, which it calls %s',
    async key => {
      const [own] = await wrapped(registrationOf({ [key]: policyExtensionPoint }));
      expect(Object.entries(own!.init.deps)).toEqual([[key, hostingExtensionPoint]]);
    },
  );

  it('has it twice if the module depends on it twice', async () => {
    const deps = {
      first: policyExtensionPoint,
      logger: coreServices.logger,
      second: policyExtensionPoint,
    };
    const [own] = await wrapped(registrationOf(deps));
    expect(Object.entries(own!.init.deps)).toEqual([
      ['first', hostingExtensionPoint],
      ['logger', coreServices.logger],
      ['second', hostingExtensionPoint],
    ]);
  });

  it('has it for that of another copy of the package, which has the same id', async () => {
    const copy = createExtensionPoint<PolicyExtensionPoint>({
      id: policyExtensionPoint.id,
    });
    const [own] = await wrapped(registrationOf({ policy: copy }));
    expect(own!.init.deps.policy).toBe(hostingExtensionPoint);
  });

  const ownPoint = createExtensionPoint<object>({ id: 'team.rules' });
  it.each([
    ['module-v1.1', [{ extensionPoint: ownPoint, factory: () => ({}) }]],
    ['module', [[ownPoint, {}]]],
  ])('of type %s keeps all else, the very same objects', async (type, points) => {
    const given = registrationOf(
      { policy: policyExtensionPoint, cache: coreServices.cache, rules: ownPoint },
      {
        type,
        pluginId: 'permission',
        moduleId: 'team-policy',
        extensionPoints: points,
        connections: [{ type: 'team' }],
        later: Symbol('a key of a later version'),
      },
    );
    const [own] = await wrapped(given);
    for (const [key, value] of Object.entries(given)) {
      if (key !== 'init') expect([key, own![key as 'type']]).toEqual([key, value]);
      if (key !== 'init') expect(own![key as 'type']).toBe(value);
    }
    expect(Object.keys(own!)).toEqual(Object.keys(given));
    expect(Object.keys(own!.init)).toEqual(Object.keys(given.init));
    expect(own!.init.deps).toEqual({
      policy: hostingExtensionPoint,
      cache: coreServices.cache,
      rules: ownPoint,
    });
    expect(own!.init.deps.cache).toBe(coreServices.cache);
    expect(own!.init.deps.rules).toBe(ownPoint);
    // What was given is as it was: it may be added unwrapped to another backend.
    expect(given.init.deps.policy).toBe(policyExtensionPoint);
  });

  it('is the given one where it does not ask for the extension point', async () => {
    const others = [
      registrationOf({ logger: coreServices.logger }),
      registrationOf({}),
    ];
    const own = registrationOf({ policy: policyExtensionPoint });
    const [first, second, third] = await wrapped(others[0]!, own, others[1]!);
    expect(first).toBe(others[0]);
    expect(second).not.toBe(own);
    expect(third).toBe(others[1]);
  });

  it('is made once, however often the backend asks', async () => {
    const given = featureOf(registrationOf({ policy: policyExtensionPoint }));
    const [feature] = await load(hostPolicy('team', given));
    expect(feature!.getRegistrations()[0]).toBe(feature!.getRegistrations()[0]);
    expect(given.getRegistrations).toHaveBeenCalledTimes(1);
  });
});

describe('the init of a wrapped module', () => {
  it('keeps its other deps, and its extension point provides the policy', async () => {
    const provided = new ProvidedPolicies();
    const cache = {};
    let seen: Record<string, unknown> = {};
    const [own] = await wrapped(
      registrationOf(
        { policy: policyExtensionPoint, cache: coreServices.cache },
        {},
        async deps => {
          seen = deps;
          (deps.policy as PolicyExtensionPoint).setPolicy(policy);
        },
      ),
    );
    await own!.init.func({ policy: provided, cache });
    expect(Object.keys(seen)).toEqual(['policy', 'cache']);
    expect(seen.cache).toBe(cache);
    expect(provided.names).toEqual(['team']);
    expect(provided.get('team').policy).toBe(policy);
  });

  it('has the same one under both names', async () => {
    let seen: Record<string, unknown> = {};
    const [own] = await wrapped(
      registrationOf(
        { first: policyExtensionPoint, second: policyExtensionPoint },
        {},
        async deps => {
          seen = deps;
        },
      ),
    );
    const provided = new ProvidedPolicies();
    await own!.init.func({ first: provided, second: provided });
    expect(seen.first).toBe(seen.second);
    expect(provided.unset).toEqual(['team']);
  });

  it('is awaited', async () => {
    let end: () => void = () => {};
    const [own] = await wrapped(
      registrationOf(
        { policy: policyExtensionPoint },
        {},
        () => new Promise(resolve => (end = resolve)),
      ),
    );
    let ended = false;
    const init = own!.init.func({ policy: new ProvidedPolicies() }).then(() => {
      ended = true;
    });
    await turn();
    expect(ended).toBe(false);
    end();
    await init;
    expect(ended).toBe(true);
  });

  it('takes the policy back if it fails after it has set it', async () => {
    const provided = new ProvidedPolicies();
    const cause = new Error('no database');
    const [own] = await wrapped(
      registrationOf({ policy: policyExtensionPoint }, {}, async deps => {
        (deps.policy as PolicyExtensionPoint).setPolicy(policy);
        throw cause;
      }),
    );
    await expect(own!.init.func({ policy: provided })).rejects.toBe(cause);
    expect(provided.names).toEqual([]);
    expect(provided.unset).toEqual(['team']);
  });

  it('leaves the policy of another module where it fails', async () => {
    const provided = new ProvidedPolicies();
    provided.host('team').setPolicy(policy);
    const [own] = await wrapped(
      registrationOf({ policy: policyExtensionPoint }, {}, async deps =>
        (deps.policy as PolicyExtensionPoint).setPolicy({ ...policy }),
      ),
    );
    await expect(own!.init.func({ policy: provided })).rejects.toThrow(
      /was already provided/,
    );
    expect(provided.get('team').policy).toBe(policy);
  });

  it('fails as it fails unwrapped', async () => {
    const cause = new Error('no database');
    const [own] = await wrapped(
      registrationOf({ policy: policyExtensionPoint }, {}, () => Promise.reject(cause)),
    );
    await expect(own!.init.func({ policy: new ProvidedPolicies() })).rejects.toBe(
      cause,
    );
  });
});

/** CommonJS packages may export a function, with the feature as a member. */
const functionNamespace = (feature: unknown): HostableFeature =>
  Object.assign(() => {}, { default: feature }) as unknown as HostableFeature;

const loaderOf = (loader: () => unknown): BackendFeature =>
  createBackendFeatureLoader({ loader } as never);

describe('hostPolicy takes', () => {
  const a = settingModule('a');
  it.each<[what: string, given: HostableFeature]>([
    ['a module', a],
    ['what import() gives', Promise.resolve({ default: a })],
    [
      'what import() gives of a CommonJS package',
      Promise.resolve({ default: { default: a }, 'module.exports': {} } as never),
    ],
    ['a namespace', { default: a }],
    ['a namespace that is a function', functionNamespace(a)],
    ['a promise of one', Promise.resolve(functionNamespace({ default: a }))],
    ['a promise of a module', Promise.resolve(a)],
    ['a promise in a namespace', { default: Promise.resolve(a) } as never],
    ['an array', [a]],
    ['an array in arrays', [[], [withoutPolicy, [service, [a]]]]],
    ['an array of promises', [Promise.resolve({ default: a }), service]],
    ['a promise of an array', Promise.resolve([withoutPolicy, a])],
    ['an array in a namespace', { default: [withoutPolicy, a] }],
    ['a loader of an array', loaderOf(() => [withoutPolicy, a])],
    ['a loader of a promise of an array', loaderOf(async () => [a, service])],
    [
      'a loader of promises',
      loaderOf(() => [Promise.resolve({ default: a }), Promise.resolve(service)]),
    ],
    ['a loader of a namespace', loaderOf(() => [{ default: a }])],
    ['a loader of a namespace in one', loaderOf(() => [{ default: { default: a } }])],
    [
      'a loader that is a generator',
      loaderOf(function* () {
        yield service;
        yield Promise.resolve({ default: a });
      }),
    ],
    [
      'a loader that is an async generator',
      loaderOf(async function* () {
        await turn();
        yield withoutPolicy;
        yield a;
      }),
    ],
    [
      'a loader of a loader of loaders',
      loaderOf(() => [loaderOf(() => [loaderOf(() => [a])])]),
    ],
    ['a promise of a loader', Promise.resolve({ default: loaderOf(() => [a]) })],
    ['an array of loaders', [loaderOf(() => [withoutPolicy]), loaderOf(() => [a])]],
  ])('%s', async (_what, given) => {
    expect(await providedBy(hostPolicy('team', given))).toEqual(['team']);
  });

  it('more than one module, of which the second to set a policy fails', async () => {
    const feature = hostPolicy('team', [settingModule('a'), settingModule('b')]);
    await expect(providedBy(feature)).rejects.toThrow(
      /^hostPolicy\("team", …\): a policy with this name was already provided/,
    );
  });

  it('each feature but a module as it is, in the order it was given', async () => {
    const plugin = createBackendPlugin({
      pluginId: 'tools',
      register(registration) {
        registration.registerInit({ deps: {}, async init() {} });
      },
    });
    const loaded = await load(hostPolicy('team', [service, [plugin, a], service]));
    expect(loaded[0]).toBe(service);
    expect(loaded[1]!.getRegistrations()).toMatchObject([
      { type: 'plugin-v1.1', pluginId: 'tools' },
    ]);
    expect(hostsIn([loaded[1]!])).toEqual([]);
    expect(loaded[2]!.getRegistrations()).toMatchObject([
      { type: 'module-v1.1', pluginId: 'permission', moduleId: 'a' },
    ]);
    expect(loaded[3]).toBe(service);
  });

  it('a module without changing how the backend recognises it', async () => {
    const given = {
      ...featureOf(registrationOf({ p: policyExtensionPoint })),
      more: 1,
    };
    const [feature] = await load(hostPolicy('team', given));
    expect(feature).toEqual({
      ...given,
      getRegistrations: expect.any(Function) as unknown,
    });
  });

  it('a loader with its deps, which it is called with', async () => {
    const config = {};
    const calls: unknown[] = [];
    const given = createBackendFeatureLoader({
      deps: { config: coreServices.rootConfig, logger: coreServices.rootLogger },
      loader(deps) {
        calls.push(deps.config);
        return [
          createBackendFeatureLoader({
            deps: { inner: coreServices.rootConfig },
            *loader(inner) {
              calls.push(inner);
              yield settingModule('a');
            },
          }),
        ];
      },
    });
    const [outer] = await internal(hostPolicy('team', given)).loader({});
    expect(outer!.deps).toBe(internal(given).deps);
    expect(outer!.description).toBe(internal(given).description);
    const [inner] = await outer!.loader({ config });
    expect(inner!.deps).toEqual({ inner: coreServices.rootConfig });
    const deps = { inner: config };
    expect(hostsIn(await inner!.loader(deps))).toHaveLength(1);
    expect(calls).toEqual([config, deps]);
    expect(calls[0]).toBe(config);
    expect(calls[1]).toBe(deps);
  });

  it('a name of its own for each use of one module', async () => {
    const provided = new ProvidedPolicies();
    for (const name of ['first', 'second']) {
      const [host] = hostsIn(await load(hostPolicy(name, a)));
      await host!.init.func({ policy: provided });
    }
    expect(provided.names).toEqual(['first', 'second']);
  });
});

it("shows the module what Backstage's extension point has, and no more", async () => {
  let shown: unknown;
  const module = registrationOf({ policy: policyExtensionPoint }, {}, async deps => {
    shown = deps.policy;
  });
  const [host] = hostsIn(await load(hostPolicy('team', featureOf(module))));
  await host!.init.func({ policy: new ProvidedPolicies() });
  expect(shown).toEqual({ setPolicy: expect.any(Function) as unknown });
});

describe('hostPolicy refuses', () => {
  const noFeature = (got: string): string =>
    "hostPolicy('team', …): expected a backend feature, the promise that import() returns, " +
    `a feature loader, or an array of these, but got ${got}`;
  const NO_POLICY =
    "hostPolicy('team', …): no module in it depends on policyExtensionPoint, so none can set a permission policy";

  it.each<[what: string, given: unknown, message: string]>([
    ['nothing', undefined, noFeature('undefined')],
    ['null', null, noFeature('null')],
    ['text', '@acme/team-policy', noFeature('string')],
    ['a number', 1, noFeature('number')],
    ['an object', {}, noFeature('object')],
    [
      'a module without a default export',
      { __esModule: true, createPolicy: () => {} },
      noFeature('a module without a default export'),
    ],
    [
      'a module whose features have names',
      { first: featureOf(), second: featureOf(), other: 1 },
      noFeature(
        "a module without a default export; its exports 'first', 'second' are backend features, so pass one: import('…').then(module => module.first)",
      ),
    ],
    [
      'a CommonJS module without a default export',
      { default: { __esModule: true, createPolicy: () => {} } },
      noFeature('a module without a default export'),
    ],
    ['a namespace that is its own default', ownDefault(), noFeature('object')],
    [
      'an object of another $$type',
      { $$type: '@backstage/ServiceRef' },
      noFeature('object'),
    ],
    ['a policy', policy, noFeature('object')],
    ['a class', class Team {}, noFeature('function')],
    ['a function that gives a module', () => settingModule('a'), noFeature('function')],
    [
      'a function that imports',
      async () => ({ default: settingModule('a') }),
      noFeature('function'),
    ],
    ['a promise of nothing', Promise.resolve(undefined), noFeature('undefined')],
    [
      'a namespace without a default',
      Promise.resolve({ a: settingModule('a') }),
      noFeature(
        "a module without a default export; its exports 'a' are backend features, so pass one: import('…').then(module => module.a)",
      ),
    ],
    [
      'a namespace with an empty default',
      { default: undefined },
      noFeature('undefined'),
    ],
    [
      'a namespace with nothing in its second',
      { default: { default: 1 } },
      noFeature('number'),
    ],
    ['an array with a hole', [settingModule('a'), undefined], noFeature('undefined')],
    ['a promise of nothing in an array', [[Promise.resolve(null)]], noFeature('null')],
    ['an empty array', [], NO_POLICY],
    ['arrays of empty arrays', [[], [[]]], NO_POLICY],
    ['a promise of an empty array', Promise.resolve([]), NO_POLICY],
    ['a module that asks for no policy', withoutPolicy, NO_POLICY],
    ['a service', service, NO_POLICY],
    ['services and other modules', [service, { default: withoutPolicy }], NO_POLICY],
    [
      'a module that offers the extension point itself',
      featureOf(
        registrationOf(
          {},
          { extensionPoints: [{ extensionPoint: policyExtensionPoint }] },
        ),
      ),
      NO_POLICY,
    ],
    [
      'a feature without registrations',
      { ...featureOf(), getRegistrations: undefined },
      NO_POLICY,
    ],
  ])('%s, naming the source', async (_what, given, message) => {
    const feature = hostPolicy('team', given as HostableFeature);
    await expect(load(feature)).rejects.toThrow(new Error(message));
  });

  it.each<[what: string, given: HostableFeature]>([
    ['a loader of nothing', loaderOf(() => [])],
    ['a loader of other modules', loaderOf(() => [withoutPolicy])],
    ['a loader of such loaders', loaderOf(() => [loaderOf(() => [withoutPolicy])])],
    ['two loaders', [loaderOf(() => [service]), loaderOf(() => [withoutPolicy])]],
    ['what is hosted already', hostPolicy('other', settingModule('a'))],
  ])('%s, once it is loaded', async (_what, given) => {
    const feature = hostPolicy('team', given);
    await expect(load(feature)).rejects.toThrow(new Error(NO_POLICY));
  });

  it.each<[what: string, given: HostableFeature]>([
    ['a module', [loaderOf(() => [withoutPolicy]), settingModule('a')]],
    ['another loader', [loaderOf(() => []), loaderOf(() => [settingModule('a')])]],
    [
      'a loader in it',
      loaderOf(() => [withoutPolicy, loaderOf(() => [settingModule('a')])]),
    ],
  ])('no loader without a policy beside one of %s', async (_what, given) => {
    expect(hostsIn(await load(hostPolicy('team', given)))).toHaveLength(1);
  });

  it('nothing of a loader, naming the source', async () => {
    const given = {
      ...internal(loaderOf(() => [])),
      loader: async () => [{ default: 'no feature' }],
    };
    const feature = hostPolicy('team', given);
    await expect(load(feature)).rejects.toThrow(new Error(noFeature('string')));
  });

  it('an invalid policy, when the module sets it', async () => {
    const [own] = await wrapped(
      registrationOf({ policy: policyExtensionPoint }, {}, async deps =>
        (deps.policy as PolicyExtensionPoint).setPolicy({} as PermissionPolicy),
      ),
    );
    await expect(own!.init.func({ policy: new ProvidedPolicies() })).rejects.toThrow(
      'hostPolicy("team", …): the policy must be an object with a method handle(request, user)',
    );
  });
});

it.each<[what: string, name: unknown, message: string]>([
  [
    'missing',
    undefined,
    'hostPolicy(name, feature): name must be a string, not undefined',
  ],
  [
    'a feature',
    settingModule('a'),
    'hostPolicy(name, feature): name must be a string, not object',
  ],
  [
    'allow',
    'allow',
    "hostPolicy: the name 'allow' is reserved for the built-in source",
  ],
  [
    '__proto__',
    '__proto__',
    "hostPolicy: the name '__proto__' cannot be used: Backstage drops this key from the config",
  ],
  ...['', 'te am', 'te\nam', 'x'.repeat(65)].map((name): [string, string, string] => [
    JSON.stringify(name),
    name,
    `hostPolicy: the name ${JSON.stringify(name)} must have 1 to 64 characters, without white space or control characters`,
  ]),
])('hostPolicy throws at once if the name is %s', (_what, name, message) => {
  expect(() => hostPolicy(name as string, settingModule('a'))).toThrow(
    new Error(message),
  );
});

describe('a module that cannot be loaded', () => {
  const cause = new Error("Cannot find package '@acme/team-policy'");
  const given: ReadonlyArray<[what: string, given: () => HostableFeature]> = [
    ['alone', () => Promise.reject(cause)],
    ['in an array', () => [settingModule('a'), Promise.reject(cause)]],
    ['twice in arrays', () => [[Promise.reject(cause)], Promise.reject(cause)]],
    ['in a namespace', () => ({ default: Promise.reject(cause) as never })],
  ];

  it.each(given)('%s fails the start with the reason', async (_what, make) => {
    await expect(load(hostPolicy('team', make()))).rejects.toBe(cause);
  });

  // A rejection that is left unhandled ends the process, that of the tests, too.
  it.each(given)('%s does not end the process before', async (_what, make) => {
    const feature = hostPolicy('team', make());
    for (let passed = 0; passed < 5; passed++) await turn();
    await expect(load(feature)).rejects.toBe(cause);
  });

  it('by a loader fails the start with the reason', async () => {
    const loader = loaderOf(() => Promise.reject(cause));
    await expect(load(hostPolicy('team', loader))).rejects.toBe(cause);
  });

  it('is reported with the name of the source', () => {
    const { description } = internal(hostPolicy('team', Promise.reject(cause)));
    expect(description).toBe("hostPolicy('team', …)");
  });
});

/** `module.exports.default = module.exports`, as some packages have it. */
function ownDefault(): object {
  const namespace: { default?: object } = {};
  namespace.default = namespace;
  return namespace;
}
