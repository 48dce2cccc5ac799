import type {
  AuditorService,
  LoggerService,
  RootConfigService,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { RuleDirectory } from './conditions/rule-directory';
import type { RuleMetadata } from './conditions/rule-metadata';
import { WrittenCheck, type WrittenConditions } from './conditions/written';
import {
  DeclaredPermissions,
  type DeclaredServices,
} from './declared/declared-permissions';
import { ObserveEnds } from './config/observe-warnings';
import type { ProvidedPolicyInfo } from './config/hosted';
import { LiveConfig } from './config/live-config';
import type { ReadConfig } from './config/read';
import { CONFIG_PATH, type RouterConfig } from './config/types';
import { Turns } from './lib/turns';
import { PolicyRouter } from './policy';
import { logUnrouted } from './routing/unrouted-log';
import { Shadows } from './shadow/shadows';
import { Snapshot } from './snapshot';
import type { HostedPolicies } from './sources/hosted/policies';
import { kindOf } from './sources/kinds';
import { Audit } from './trace/audit';
import { warnOfFailures } from './trace/failure-log';
import { Delivery } from './trace/delivery';
import { logTraces } from './trace/log';
import { measure } from './trace/metrics';
import { ObservedSums } from './trace/observed-sums';
import { RecentDecisions } from './trace/recent';
import type { TraceSink } from './trace/record';
import { warnOfOtherQuestions } from './trace/question-log';
import { warnOfLargeConditions } from './trace/size-log';

export interface RouterOptions {
  /** Holds `permission.policyRouter`, and is followed if it can change. */
  readonly config: RootConfigService;
  readonly services: RouterServices;
  /** Receive the record of every decision, besides the log. */
  readonly sinks?: readonly TraceSink[];
  /** Called with every changed config, once decisions are made with it. */
  readonly onReload?: (read: ReadConfig) => void;
}

export interface RouterServices {
  readonly logger: LoggerService;
  /** Gets the audit events. Default: nobody does. */
  readonly auditor?: AuditorService;
  readonly userInfo: UserInfoService;
  /** The permission rules that a plugin publishes; never rejects. */
  readonly readRules: (pluginId: string) => Promise<RuleMetadata>;
  /** The installed plugins, and what they publish. Default: none. */
  readonly plugins?: Pick<DeclaredServices, 'installed' | 'read'>;
  /** The policies that other modules provide. */
  readonly policies: HostedPolicies & ProvidedPolicyInfo;
  /** Calls back once all plugins have started; by default at once. */
  readonly whenStarted?: (callback: () => void) => void;
}

/** The config in use, and since when. */
export interface InUse {
  readonly read: ReadConfig;
  readonly since: Date;
}

export interface Router {
  /** What Backstage asks; it also explains, and knows how its sources are. */
  readonly policy: PermissionPolicy & Pick<PolicyRouter, 'explain' | 'snapshot'>;
  /** The config that it started with. */
  readonly startConfig: ReadConfig;
  readonly inUse: InUse;
  readonly recent: Pick<RecentDecisions, 'all' | 'get'>;
  /** What enforcing the observed decisions would change. */
  readonly observed: Pick<ObservedSums, 'answer'>;
  readonly audit: Pick<Audit, 'status'>;
  /** Decisions compared with those of other sources. */
  readonly shadows: Pick<Shadows, 'status'>;
  readonly declared: Pick<DeclaredPermissions, 'of' | 'all'>;
  /** Where the table in use comes from, and what another one in its place would be. */
  readonly live: Pick<LiveConfig, 'routingFile' | 'rejected' | 'propose'>;
  /** Gives the sinks all records that wait for them, at once. */
  flush(): void;
  /** Stops following the config, and closes the sources after the decisions under way. */
  close(): void;
}

/**
 * The only place where things are put together: config and services become sources, a table and
 * the one policy.
 *
 * @throws ConfigError with every problem of the config, or of a source that cannot be set up.
 */
export async function createRouter({
  config,
  services,
  sinks = [],
  onReload = () => {},
}: RouterOptions): Promise<Router> {
  const { logger, userInfo, readRules, policies, plugins = NO_PLUGINS } = services;
  const { auditor = NO_AUDITOR, whenStarted = callback => callback() } = services;
  const declared = new DeclaredPermissions({
    logger,
    ...plugins,
    onRead: () => reportUnrouted(),
  });
  const ruleDirectory = new RuleDirectory(readRules, logger);
  const turns = new Turns();
  const lasting = { logger, ruleDirectory, policies, turns };
  const liveConfig = new LiveConfig(config, logger, policies, outcome =>
    metrics.reloaded(outcome),
  );
  const startConfig = await liveConfig.read();
  let snapshot = await Snapshot.build(startConfig.config, lasting);
  declared.alsoRead(startConfig.config.declaredBy);
  const recent = new RecentDecisions(startConfig.config.visibility.recentDecisions);
  const observed = new ObservedSums(startConfig.digest, () => recent.last);
  const observeEnds = new ObserveEnds(logger);
  const audit = new Audit(auditor, logger, startConfig.config.visibility.audit);
  const shadows = new Shadows(startConfig.config.shadow, {
    logger,
    counted: (route, outcome) => metrics.compared(route, outcome),
  });
  const metrics = measure({
    sources: () => snapshot.statuses(),
    recordsLost: () => delivery.lost,
    auditDropped: () => audit.status().dropped,
  });
  const delivery: Delivery = new Delivery([
    logTraces(logger),
    warnOfFailures(logger),
    warnOfLargeConditions(logger),
    warnOfOtherQuestions(logger, declared),
    recent.sink,
    // After the recent decisions, which number them.
    observed.sink,
    audit.sink,
    ...metrics.sinks,
    ...sinks,
    shadows.sink,
  ]);
  const policy = new PolicyRouter(
    snapshot,
    userInfo,
    turns,
    declared,
    delivery,
    shadows,
  );
  const router = new RunningRouter({
    policy,
    startConfig,
    recent,
    observed,
    audit,
    shadows,
    declared,
    delivery,
    live: liveConfig,
  });
  const reportUnrouted = logUnrouted(logger, () => ({
    declared: declared.all(),
    table: snapshot.table,
    fallback: snapshot.config.fallback,
  }));
  const writtenCheck = new WrittenCheck(readRules, logger);
  let isStarted = false;
  let isClosed = false;
  const checkWritten = (): void => {
    if (isStarted && !isClosed) writtenCheck.begin(writtenIn(snapshot.config));
  };
  let routingFile = liveConfig.routingFile;
  const followObserve = (): void => {
    if (isStarted && !isClosed) observeEnds.follow(snapshot.config, routingFile);
  };
  whenStarted(() => {
    isStarted = true;
    declared.open();
    checkWritten();
    followObserve();
  });
  liveConfig.watch(async (read, file) => {
    snapshot = await Snapshot.build(read.config, lasting, snapshot);
    policy.swap(snapshot);
    shadows.use(read.config);
    declared.alsoRead(read.config.declaredBy);
    recent.resize(read.config.visibility.recentDecisions);
    observed.reloaded(read.digest);
    audit.reloaded(router.inUse.read.digest, read.digest, read.config.visibility.audit);
    router.use(read);
    routingFile = file;
    onReload(read);
    checkWritten();
    followObserve();
    reportUnrouted();
  });
  router.onClose(() => {
    isClosed = true;
    metrics.close();
    observeEnds.stop();
    declared.close();
    writtenCheck.stop();
    liveConfig.stop();
    shadows.close();
    policy.close();
    delivery.flush();
    audit.close();
  });
  return router;
}

const NO_AUDITOR: AuditorService = {
  createEvent: async () => ({ success: async () => {}, fail: async () => {} }),
};

const NO_PLUGINS: NonNullable<RouterServices['plugins']> = {
  installed: () => Promise.resolve([]),
  read: () => Promise.resolve({ kind: 'none', why: 'not asked' }),
};

/** The conditions in the config, if they are to be checked against published rules. */
function writtenIn({ verifyConditions, sources }: RouterConfig): WrittenConditions[] {
  if (verifyConditions === false) return [];
  return [...sources].flatMap(([name, { type, options }]) => {
    const kind = kindOf(type);
    const written = kind?.isRemote ? [] : kind?.conditionsIn?.(options as never);
    return (written ?? []).map(each => ({
      ...each,
      place: `${CONFIG_PATH}.sources.${name}.${each.place}`,
    }));
  });
}

/** What a running router is made of. */
interface RouterParts {
  readonly policy: PolicyRouter;
  readonly startConfig: ReadConfig;
  readonly recent: RecentDecisions;
  readonly observed: ObservedSums;
  readonly audit: Audit;
  readonly shadows: Shadows;
  readonly declared: DeclaredPermissions;
  readonly delivery: Delivery;
  readonly live: LiveConfig;
}

class RunningRouter implements Router {
  /** Contain secrets; `#`, so that printing the router prints none of them. */
  readonly #startConfig: ReadConfig;
  #inUse: InUse;
  readonly policy: PolicyRouter;
  readonly recent: RecentDecisions;
  readonly observed: ObservedSums;
  readonly audit: Audit;
  readonly shadows: Shadows;
  readonly declared: DeclaredPermissions;
  private readonly delivery: Delivery;
  readonly #live: LiveConfig;
  private end = (): void => {};

  constructor({
    policy,
    startConfig,
    recent,
    observed,
    audit,
    shadows,
    declared,
    delivery,
    live,
  }: RouterParts) {
    this.policy = policy;
    this.#startConfig = startConfig;
    this.#inUse = { read: startConfig, since: new Date() };
    this.recent = recent;
    this.observed = observed;
    this.audit = audit;
    this.shadows = shadows;
    this.declared = declared;
    this.delivery = delivery;
    this.#live = live;
  }

  get startConfig(): ReadConfig {
    return this.#startConfig;
  }

  get inUse(): InUse {
    return this.#inUse;
  }

  get live(): LiveConfig {
    return this.#live;
  }

  use(read: ReadConfig): void {
    this.#inUse = { read, since: new Date() };
  }

  onClose(end: () => void): void {
    this.end = end;
  }

  flush(): void {
    this.delivery.flush();
  }

  close(): void {
    this.end();
  }
}
