import { createBackend } from '@backstage/backend-defaults';
import {
  coreServices,
  createBackendPlugin,
  createServiceFactory,
  type BackendFeature,
  type HttpRouterService,
} from '@backstage/backend-plugin-api';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import { createPolicyRouterModule } from '../../src/module';
import { RouterHandle } from '../../src/operations/handle';
import type { DecisionRecord } from '../../src/trace/record';
import { RecordingAuditor } from './auditor';
import { CapturedLogs } from './captured-logs';
import { ChangingConfig } from './changing-config';
import { delivering } from './router';

export interface ModuleOptions {
  /** Further app-config. */
  readonly config?: object;
  /** Further modules. */
  readonly features?: readonly BackendFeature[];
}

export interface StartedModule {
  readonly config: ChangingConfig;
  readonly logs: CapturedLogs;
  readonly records: DecisionRecord[];
  readonly auditor: RecordingAuditor;
  /** The middlewares that the module has given the plugin's HTTP router. */
  readonly middlewares: ReadonlyArray<Parameters<HttpRouterService['use']>[0]>;
  /** Undefined if no module has set a policy. */
  readonly policy: PermissionPolicy | undefined;
  readonly decide: (
    query: PolicyQuery,
    user?: PolicyQueryUser,
  ) => Promise<PolicyDecision>;
  readonly stop: () => Promise<void>;
}

/**
 * The module in a Backstage backend that serves nothing: the permission plugin of the test only
 * takes the policy. For what needs HTTP there is `startBackend`.
 */
export async function startModule(
  policyRouter: object,
  { config: rest = {}, features = [] }: ModuleOptions = {},
): Promise<StartedModule> {
  const config = new ChangingConfig(policyRouter, rest);
  const logs = new CapturedLogs();
  const records: DecisionRecord[] = [];
  const auditor = new RecordingAuditor();
  const middlewares: Array<Parameters<HttpRouterService['use']>[0]> = [];
  let policy: PermissionPolicy | undefined;

  const handle = new RouterHandle();
  const backend = createBackend();
  for (const feature of [
    logs.feature(),
    ...services(config, auditor, middleware => middlewares.push(middleware)),
    permissionPlugin(next => {
      if (policy) throw new Error('Policy already set');
      policy = next;
    }),
    createPolicyRouterModule(handle, [record => records.push(record)]),
    ...features,
  ]) {
    backend.add(feature);
  }
  try {
    await backend.start();
  } catch (error) {
    await backend.stop();
    throw error;
  }
  return {
    config,
    logs,
    records,
    auditor,
    middlewares,
    policy,
    decide: (query, user) => delivering(handle.router!).handle(query, user),
    stop: () => backend.stop(),
  };
}

const permissionPlugin = (
  setPolicy: (policy: PermissionPolicy) => void,
): BackendFeature =>
  createBackendPlugin({
    pluginId: 'permission',
    register(registration) {
      registration.registerExtensionPoint(policyExtensionPoint, { setPolicy });
      registration.registerInit({ deps: {}, async init() {} });
    },
  });

const notExpected = (): never => {
  throw new Error('not expected');
};

/** What would listen, or keep a database, does nothing. */
const services = (
  config: ChangingConfig,
  auditor: RecordingAuditor,
  use: HttpRouterService['use'],
): BackendFeature[] => [
  createServiceFactory({
    service: coreServices.rootConfig,
    deps: {},
    factory: () => config.service,
  }),
  createServiceFactory({
    service: coreServices.rootHttpRouter,
    deps: {},
    factory: () => ({ use: () => {} }),
  }),
  createServiceFactory({
    service: coreServices.httpRouter,
    deps: {},
    factory: () => ({ use, addAuthPolicy: () => {} }),
  }),
  createServiceFactory({
    service: coreServices.auditor,
    deps: {},
    factory: () => auditor.service,
  }),
  createServiceFactory({
    service: coreServices.auth,
    deps: {},
    factory: () =>
      new Proxy({} as never, {
        get: (_, key) => (key === 'then' ? undefined : notExpected),
      }),
  }),
  createServiceFactory({
    service: coreServices.userInfo,
    deps: {},
    factory: () => ({ getUserInfo: notExpected }),
  }),
  createServiceFactory({
    service: coreServices.discovery,
    deps: {},
    factory: () => ({ getBaseUrl: notExpected, getExternalBaseUrl: notExpected }),
  }),
];
