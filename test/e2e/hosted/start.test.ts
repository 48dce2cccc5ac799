/** Mistakes in providing a policy fail the start; the error names the source and the remedy. */
import {
  coreServices,
  createBackendFeatureLoader,
  createBackendModule,
  createServiceFactory,
  createServiceRef,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import allowAllModule from '@backstage/plugin-permission-backend-module-allow-all-policy';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  policyExtensionPoint,
  type PolicyExtensionPoint,
} from '@backstage/plugin-permission-node/alpha';
import { hostPolicy, type HostableFeature } from '../../../src/index';
import {
  authorize,
  basic,
  startBackend,
  type BackendOptions,
} from '../../support/backend';
import { runImporting } from '../../support/importing';

const policy = { handle: async () => ({ result: AuthorizeResult.ALLOW }) as const };

/** A module that does this with the permission policy's extension point. */
const moduleThat = (
  use: (point: PolicyExtensionPoint) => void | Promise<void>,
  moduleId = 'team-policy',
): BackendFeature =>
  createBackendModule({
    pluginId: 'permission',
    moduleId,
    register(registration) {
      registration.registerInit({
        deps: { policy: policyExtensionPoint },
        init: async deps => use(deps.policy),
      });
    },
  });

const setting = (moduleId?: string): BackendFeature =>
  moduleThat(point => point.setPolicy(policy), moduleId);

const withoutPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'no-policy',
  register(registration) {
    registration.registerInit({
      deps: { logger: coreServices.logger },
      async init() {},
    });
  },
});

const tableOf = (sources: object, source: string): object => ({
  fallback: 'deny',
  sources,
  routes: [{ prefix: 'tested', sources: [source] }],
});

const withTeam = tableOf({ team: { type: 'hosted' } }, 'team');
const withoutTeam = tableOf({}, 'deny');

const hostTeam = (feature: unknown): BackendFeature =>
  hostPolicy('team', feature as HostableFeature);

/** The messages of an error and its causes. */
function wordsOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause ? `${message}\n${wordsOf(cause)}` : message;
}

async function failureOf(options: BackendOptions): Promise<string> {
  let backend;
  try {
    backend = await startBackend(options);
  } catch (error) {
    return wordsOf(error);
  }
  await backend.stop();
  throw new Error('the backend started');
}

const SOURCE = 'permission.policyRouter.sources.team';
const NO_FEATURE =
  "hostPolicy('team', …): expected a backend feature, the promise that import() returns, " +
  'a feature loader, or an array of these, but got ';
const NOT_SET = `${SOURCE}: the module in hostPolicy('team', …) did not call setPolicy() during init; check whether it started`;
const TAKEN = 'a policy with this name was already provided';

describe('the start fails with an error that names', () => {
  it.each<[string, () => BackendFeature[], object, string[]]>([
    [
      'a module that cannot set a policy',
      () => [hostTeam(withoutPolicy)],
      withTeam,
      [
        "hostPolicy('team', …): no module in it depends on policyExtensionPoint, so none can set a permission policy",
      ],
    ],
    [
      'a module that could set a policy but does not',
      () => [hostTeam(moduleThat(() => {}))],
      withTeam,
      [NOT_SET],
    ],
    [
      'a module that fails to start',
      () => [hostTeam(moduleThat(() => Promise.reject(new Error('no database'))))],
      withTeam,
      ["Module 'team-policy'", 'no database', NOT_SET],
    ],
    [
      'a module that sets something that is not a policy',
      () => [hostTeam(moduleThat(point => point.setPolicy({} as never)))],
      withTeam,
      [
        "Module 'team-policy'",
        'the policy must be an object with a method handle(request, user)',
      ],
    ],
    [
      'a module that sets two policies',
      () => [
        hostTeam(
          moduleThat(point => {
            point.setPolicy(policy);
            point.setPolicy(policy);
          }),
        ),
      ],
      withTeam,
      ["Module 'team-policy'", 'team', TAKEN],
    ],
    [
      'two modules under one name',
      () => [hostTeam(setting('one')), hostTeam(setting('other'))],
      withTeam,
      ["Module 'other'", 'team', TAKEN],
    ],
    [
      'one module under two names',
      () => [hostTeam(setting()), hostPolicy('others', setting())],
      tableOf({ team: { type: 'hosted' }, others: { type: 'hosted' } }, 'team'),
      ["Module 'team-policy' for plugin 'permission' is already registered"],
    ],
    [
      'a source that no module provides',
      () => [],
      withTeam,
      [
        `${SOURCE}: no module provides this policy; provided: none. ` +
          "Wrap the module that sets it, backend.add(hostPolicy('team', …)), or call " +
          "addSource('team', …) in a module of your own. If there is such a module, it did not " +
          'start: see its own error',
      ],
    ],
    [
      'a policy that no source names',
      () => [hostTeam(setting())],
      withoutTeam,
      [
        'permission.policyRouter.sources: a module provides the policy "team", but no source ' +
          'has this name; add team: { type: hosted }, or remove the module from the backend',
      ],
    ],
    [
      'a policy and a source whose names differ slightly',
      () => [hostPolicy('teem', setting())],
      withTeam,
      [`${SOURCE}: no module provides this policy; provided: 'teem'.`, 'policy "teem"'],
    ],
    [
      'a source that has a policy but another type',
      () => [hostTeam(setting())],
      tableOf({ team: { type: 'ownership' } }, 'team'),
      [
        `${SOURCE}.type: must be 'hosted', because a module provides a policy with this name`,
      ],
    ],
    [
      'a policy module that is not wrapped',
      () => [allowAllModule],
      withoutTeam,
      [
        "Module 'policy-router'",
        'another module has already set the permission policy. Remove it from the backend ' +
          '(if feature discovery finds it: backend.packages.exclude), or make it a ' +
          "source: backend.add(hostPolicy('<name>', …))",
      ],
    ],
    [
      'an unwrapped policy module that the table has a source for',
      () => [allowAllModule],
      withTeam,
      [`${SOURCE}: no module provides this policy`, "hostPolicy('team', …)"],
    ],
    [
      'a module that cannot be imported',
      () => [hostTeam(Promise.reject(new Error("Cannot find package '@acme/policy'")))],
      withTeam,
      ["hostPolicy('team', …)", "Cannot find package '@acme/policy'"],
    ],
    [
      'a policy in place of its module',
      () => [hostTeam(policy)],
      withTeam,
      [NO_FEATURE],
    ],
    ['a function', () => [hostTeam(() => setting())], withTeam, [NO_FEATURE]],
    ['a missing export', () => [hostTeam(undefined)], withTeam, [NO_FEATURE]],
    [
      'an array with a policy in it',
      () => [hostTeam([setting(), policy])],
      withTeam,
      [NO_FEATURE],
    ],
    [
      'an empty array',
      () => [hostTeam([])],
      withTeam,
      [
        "hostPolicy('team', …): no module in it depends on policyExtensionPoint, so none can set a permission policy",
      ],
    ],
  ])('%s', async (_what, features, table, said) => {
    const failure = await failureOf({ features: features(), policyRouter: table });
    for (const words of said) expect(failure).toContain(words);
  });

  it('a policy that is hosted in a backend without the router', async () => {
    const failure = await failureOf({ policy: hostTeam(setting()) });
    expect(failure).toContain("module 'team-policy'");
    expect(failure).toContain(
      'missing for the following ref(s): extensionPoint{permission.policy-router.hosting}',
    );
  });
});

const settingRef = createServiceRef<string>({ id: 'team.setting', scope: 'root' });

const moduleWithService = createBackendModule({
  pluginId: 'permission',
  moduleId: 'team-policy',
  register(registration) {
    registration.registerInit({
      deps: { policy: policyExtensionPoint, setting: settingRef },
      async init(deps) {
        if (deps.setting === 'given') deps.policy.setPolicy(policy);
      },
    });
  },
});

const serviceGiven = createServiceFactory({
  service: settingRef,
  deps: {},
  factory: () => 'given',
});

describe('the start succeeds with', () => {
  it.each<[string, () => HostableFeature]>([
    ['a module', () => allowAllModule],
    ['a promise of one', () => Promise.resolve({ default: allowAllModule })],
    [
      'a module and the service factory that it needs',
      () => [serviceGiven, moduleWithService],
    ],
    [
      'a feature loader that asks for services',
      () =>
        createBackendFeatureLoader({
          deps: { config: coreServices.rootConfig },
          async *loader({ config }) {
            if (config.getString('app.baseUrl')) yield allowAllModule;
          },
        }),
    ],
    [
      'a feature loader of promises, and more',
      () => [
        createBackendFeatureLoader({
          loader: () => [Promise.resolve({ default: moduleWithService })],
        }),
        Promise.resolve({ default: serviceGiven }),
      ],
    ],
  ])('%s', async (_what, feature) => {
    const backend = await startBackend({
      features: [hostTeam(feature())],
      policyRouter: withTeam,
    });
    try {
      const token = await backend.signIn('nolan');
      const asked = [basic('tested.read'), basic('other.read')];
      const { results } = await authorize(backend.url, token, asked);
      expect(results).toEqual(['ALLOW', 'DENY']);
    } finally {
      await backend.stop();
    }
  });
});

describe("Node's own import()", () => {
  it('returns what hostPolicy accepts', async () => {
    const specifier = '@backstage/plugin-permission-backend-module-allow-all-policy';
    expect(await runImporting(specifier)).toEqual({ code: 0, output: 'ALLOW\n' });
  }, 120_000);

  it('may fail long before the start, whose error then names the source', async () => {
    const { code, output } = await runImporting('@acme/no-such-policy');
    expect(output).toContain("hostPolicy('team', …)");
    expect(output).toContain("Cannot find package '@acme/no-such-policy'");
    expect(output).not.toContain('unhandled');
    // Unhandled, the rejection would have ended the process with another code.
    expect(code).toBe(3);
  }, 120_000);
});
