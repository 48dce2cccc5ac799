/** The Backstage module: it hands Backstage's services to the router, and the router to Backstage. */
import {
  coreServices,
  createBackendModule,
  type AuditorService,
  type HttpRouterService,
  type LifecycleService,
  type LoggerService,
  type RootConfigService,
  type RootLifecycleService,
  type UserInfoService,
} from '@backstage/backend-plugin-api';
import { ServiceUnavailableError } from '@backstage/errors';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import {
  policyExtensionPoint,
  type PolicyExtensionPoint,
} from '@backstage/plugin-permission-node/alpha';
import { rulesIn } from './conditions/rule-metadata';
import type { ReadConfig } from './config/read';
import { summary } from './config/summary';
import { installedPlugins, type InstalledPlugins } from './declared/installed-plugins';
import { readPluginMetadata } from './declared/plugin-metadata';
import { pluginAsker, type PluginServices } from './lib/plugin-request';
import { ProvidedPolicies } from './hosting/provided-policies';
import {
  hostingExtensionPoint,
  policySourceExtensionPoint,
} from './hosting/extension-points';
import type { RouterHandle } from './operations/handle';
import { createRouter, type Router } from './router';
import type { TraceSink } from './trace/record';

/**
 * @param handle - gets the router once it is the permission policy.
 * @param extraSinks - receive the record of every decision, besides the log.
 */
export function createPolicyRouterModule(
  handle: RouterHandle,
  extraSinks: readonly TraceSink[] = [],
) {
  return createBackendModule({
    pluginId: 'permission',
    moduleId: 'policy-router',
    register(registration) {
      const policies = new ProvidedPolicies();
      registration.registerExtensionPoint(policySourceExtensionPoint, {
        addSource: (name, source) => policies.addSource(name, source),
      });
      registration.registerExtensionPoint(hostingExtensionPoint, {
        host: name => policies.host(name),
      });
      registration.registerInit({
        deps: {
          permission: policyExtensionPoint,
          rootConfig: coreServices.rootConfig,
          logger: coreServices.logger,
          auditor: coreServices.auditor,
          lifecycle: coreServices.lifecycle,
          rootLifecycle: coreServices.rootLifecycle,
          userInfo: coreServices.userInfo,
          discovery: coreServices.discovery,
          auth: coreServices.auth,
          httpRouter: coreServices.httpRouter,
          installed: installedPlugins,
        },
        async init(services) {
          try {
            handle.router = await start(services, policies, extraSinks);
          } catch (error) {
            refuseAll(services, error);
            throw error;
          }
        },
      });
    },
  });
}

/** What completes the start line of an older Backstage. */
const UNLISTED =
  ' This release of Backstage does not list its plugins, so only those in declared.plugins are ' +
  'asked what they declare.';

interface Services extends PluginServices {
  readonly permission: PolicyExtensionPoint;
  readonly rootConfig: RootConfigService;
  readonly logger: LoggerService;
  readonly auditor: AuditorService;
  readonly lifecycle: LifecycleService;
  readonly rootLifecycle: RootLifecycleService;
  readonly userInfo: UserInfoService;
  readonly httpRouter: HttpRouterService;
  readonly installed: InstalledPlugins;
}

async function start(
  {
    permission,
    rootConfig,
    logger,
    auditor,
    lifecycle,
    rootLifecycle,
    userInfo,
    installed,
    ...services
  }: Services,
  policies: ProvidedPolicies,
  sinks: readonly TraceSink[],
): Promise<Router> {
  // Modules that provide a policy have been initialised before this one.
  policies.close();
  const report = (what: string, read: ReadConfig): void => {
    logger.info(`${what}: ${summary(read)}${installed.isKnown ? '' : UNLISTED}`);
    for (const { text } of read.warnings) logger.warn(text);
    if (rootConfig.getOptionalBoolean('permission.enabled') !== true) {
      logger.warn(
        'permission.enabled is not true, so Backstage asks no policy: everything is allowed',
      );
    }
  };
  const askPlugin = pluginAsker(services);
  const read = (pluginId: string) => readPluginMetadata(pluginId, askPlugin);
  const router = await createRouter({
    config: rootConfig,
    services: {
      logger,
      auditor,
      userInfo,
      policies,
      readRules: async pluginId => rulesIn(await read(pluginId)),
      plugins: { installed: () => installed.list(), read },
      whenStarted: callback => rootLifecycle.addStartupHook(callback),
    },
    sinks,
    onReload: read => report('The changed config is in use', read),
  });
  lifecycle.addShutdownHook(() => router.close());
  try {
    setPolicy(permission, router.policy);
  } catch (error) {
    router.close();
    throw error;
  }
  report('The policy router is the permission policy', router.startConfig);
  return router;
}

/**
 * Backstage can be told to start without a module that failed (`onPluginModuleBootFailure`).
 * Then no other policy may decide in its place. Requests reach a module's middleware before the
 * plugin's routes.
 */
function refuseAll({ httpRouter, logger }: Services, error: unknown): void {
  httpRouter.use((_request, _response, next) =>
    next(
      new ServiceUnavailableError(
        'the policy router has not started, so nothing is authorized',
      ),
    ),
  );
  const reason = error instanceof Error ? error.message : String(error);
  logger.error(
    `The policy router has not started, so nothing is authorized: ${reason}`,
  );
}

/** Backstage takes one policy only. */
function setPolicy(permission: PolicyExtensionPoint, policy: PermissionPolicy): void {
  try {
    permission.setPolicy(policy);
  } catch (cause) {
    throw new Error(
      'another module has already set the permission policy. Remove it from the backend ' +
        '(if feature discovery finds it: backend.packages.exclude), or make it a source: ' +
        "backend.add(hostPolicy('<name>', …))",
      { cause },
    );
  }
}
