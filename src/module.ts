import {
  coreServices,
  createBackendModule,
  type HttpRouterService,
  type LifecycleService,
  type LoggerService,
  type RootConfigService,
  type UserInfoService,
} from '@backstage/backend-plugin-api';
import {
  policyExtensionPoint,
  type PolicyExtensionPoint,
} from '@backstage/plugin-permission-node/alpha';
import { LiveConfig } from './config/live-config';
import type { ReadConfig } from './config/read';
import { standbyChain } from './config/standby';
import { isRemote, type RouterConfig } from './config/types';
import { RuleDirectory } from './conditions/rule-directory';
import {
  readRuleMetadata,
  type RuleMetadataServices,
} from './conditions/rule-metadata';
import { BroughtSources } from './hosting/brought-sources';
import {
  hostingExtensionPoint,
  policySourceExtensionPoint,
} from './hosting/extension-points';
import { PolicyRouter } from './policy';
import { Snapshot } from './snapshot';
import { warnOfFailures } from './trace/failure-log';
import { logTraces } from './trace/log';
import { warnOfLargeConditions } from './trace/size-log';
import type { TraceSink } from './trace/record';

/**
 * The composition root: services and config become sources, a table and the one policy.
 *
 * @param extraSinks - receive every decision trace besides the log.
 */
export function createPolicyRouterModule(extraSinks: readonly TraceSink[] = []) {
  return createBackendModule({
    pluginId: 'permission',
    moduleId: 'policy-router',
    register(registration) {
      const brought = new BroughtSources();
      registration.registerExtensionPoint(policySourceExtensionPoint, {
        addSource: (name, source) => brought.addSource(name, source),
      });
      registration.registerExtensionPoint(hostingExtensionPoint, {
        host: name => brought.host(name),
      });
      registration.registerInit({
        deps: {
          permission: policyExtensionPoint,
          rootConfig: coreServices.rootConfig,
          logger: coreServices.logger,
          lifecycle: coreServices.lifecycle,
          userInfo: coreServices.userInfo,
          discovery: coreServices.discovery,
          auth: coreServices.auth,
          httpRouter: coreServices.httpRouter,
        },
        async init(services) {
          try {
            await start(services, brought, extraSinks);
          } catch (error) {
            answerNothing(services, error);
            throw error;
          }
        },
      });
    },
  });
}

interface Services extends RuleMetadataServices {
  readonly permission: PolicyExtensionPoint;
  readonly rootConfig: RootConfigService;
  readonly logger: LoggerService;
  readonly lifecycle: LifecycleService;
  readonly userInfo: UserInfoService;
  readonly httpRouter: HttpRouterService;
}

async function start(
  { permission, rootConfig, logger, lifecycle, userInfo, ...services }: Services,
  brought: BroughtSources,
  extraSinks: readonly TraceSink[],
): Promise<void> {
  // Modules that bring a policy have been initialised before this one.
  brought.close();
  const liveConfig = new LiveConfig(rootConfig, logger, brought);
  const first = await liveConfig.first();
  const ruleDirectory = new RuleDirectory(
    pluginId => readRuleMetadata(pluginId, services),
    logger,
  );
  const lasting = { logger, ruleDirectory, brought };
  let snapshot = await Snapshot.build(first.config, lasting);
  const policy = new PolicyRouter(snapshot, userInfo, [
    logTraces(logger),
    warnOfFailures(logger),
    warnOfLargeConditions(logger),
    ...extraSinks,
  ]);
  setPolicy(permission, policy);
  logger.info(`The policy router is the permission policy: ${summary(first.config)}`);
  warn(first);

  liveConfig.watch(async read => {
    snapshot = await Snapshot.build(read.config, lasting, snapshot);
    policy.swap(snapshot);
    logger.info(`The changed config is in use: ${summary(read.config)}`);
    warn(read);
  });
  lifecycle.addShutdownHook(() => {
    liveConfig.stop();
    policy.close();
  });

  function warn({ warnings }: ReadConfig): void {
    for (const warning of warnings) logger.warn(warning);
    if (rootConfig.getOptionalBoolean('permission.enabled') !== true) {
      logger.warn(
        'permission.enabled is not true, so Backstage asks no policy: everything is allowed',
      );
    }
  }
}

/**
 * Backstage can be told to start without a module that failed (`onPluginModuleBootFailure`).
 * Then nobody else's policy must decide in its place: modules are asked before the plugin.
 */
function answerNothing({ httpRouter, logger }: Services, error: unknown): void {
  httpRouter.use((_request, response) => {
    const message = 'the policy router has not started, so nothing is authorized';
    response.status(503).json({ error: { name: 'ServiceUnavailableError', message } });
  });
  const reason = error instanceof Error ? error.message : String(error);
  logger.error(
    `The policy router has not started, so nothing is authorized: ${reason}`,
  );
}

/** Backstage takes one policy only. */
function setPolicy(permission: PolicyExtensionPoint, policy: PolicyRouter): void {
  try {
    permission.setPolicy(policy);
  } catch (cause) {
    throw new Error(
      'another module has set the permission policy already. Take it out of the backend ' +
        '(where feature discovery finds it: backend.packages.exclude), or bring it as a ' +
        "source: backend.add(hostPolicy('<name>', …))",
      { cause },
    );
  }
}

/** One line that tells an operator what is in force, and what is open in it. */
export function summary(config: RouterConfig): string {
  const { routes, sources, fallback, verifyConditions } = config;
  const used = new Set(routes.flatMap(route => route.sources));
  const open = routes.flatMap(route =>
    route.sources.flatMap(name => {
      const source = sources.get(name);
      if (!isRemote(source)) return [];
      return (route.onUnavailable ?? source.onUnavailable) === 'fail-open'
        ? [`source '${name}' on ${route.label}`]
        : [];
    }),
  );
  const standbys = [...used].flatMap(name => {
    const chain = standbyChain(name, sources);
    return chain.length > 1 ? [chain.map(each => `'${each}'`).join(' → ')] : [];
  });
  return [
    `${count(routes.length, 'route')}, ${count(used.size, 'source')} (${[...used].join(', ')}).`,
    `A permission no route matches gets ${fallback === 'allow' ? 'ALLOW (fallback: allow)' : 'DENY'}.`,
    ...(standbys.length > 0 ? [`Standby: ${standbys.join('; ')}.`] : []),
    ...(verifyConditions === false
      ? ['Conditions are NOT VERIFIED (verifyConditions: false).']
      : []),
    ...(open.length > 0 ? [`FAIL-OPEN, so an outage allows: ${open.join('; ')}.`] : []),
  ].join(' ');
}

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;
