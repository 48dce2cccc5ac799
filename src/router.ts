import type {
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
import type { ProvidedPolicyInfo } from './config/hosted';
import { LiveConfig } from './config/live-config';
import type { ReadConfig } from './config/read';
import { CONFIG_PATH, type RouterConfig } from './config/types';
import { Turns } from './lib/turns';
import { PolicyRouter } from './policy';
import { Snapshot } from './snapshot';
import type { HostedPolicies } from './sources/hosted/policies';
import { kindOf } from './sources/kinds';
import { warnOfFailures } from './trace/failure-log';
import { logTraces } from './trace/log';
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

export interface Router {
  readonly policy: PermissionPolicy;
  /** The config that it started with. */
  readonly startConfig: ReadConfig;
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
  const { whenStarted = callback => callback() } = services;
  const declared = new DeclaredPermissions({ logger, ...plugins });
  const ruleDirectory = new RuleDirectory(readRules, logger);
  const turns = new Turns();
  const lasting = { logger, ruleDirectory, policies, turns };
  const liveConfig = new LiveConfig(config, logger, policies);
  const startConfig = await liveConfig.read();
  let snapshot = await Snapshot.build(startConfig.config, lasting);
  declared.alsoRead(startConfig.config.declaredBy);
  const policy = new PolicyRouter(snapshot, userInfo, turns, declared, [
    logTraces(logger),
    warnOfFailures(logger),
    warnOfLargeConditions(logger),
    warnOfOtherQuestions(logger, declared),
    ...sinks,
  ]);
  const writtenCheck = new WrittenCheck(readRules, logger);
  let isStarted = false;
  let isClosed = false;
  const checkWritten = (): void => {
    if (isStarted && !isClosed) writtenCheck.begin(writtenIn(snapshot.config));
  };
  whenStarted(() => {
    isStarted = true;
    declared.open();
    checkWritten();
  });
  liveConfig.watch(async read => {
    snapshot = await Snapshot.build(read.config, lasting, snapshot);
    policy.swap(snapshot);
    declared.alsoRead(read.config.declaredBy);
    onReload(read);
    checkWritten();
  });
  return new RunningRouter(policy, startConfig, () => {
    isClosed = true;
    declared.close();
    writtenCheck.stop();
    liveConfig.stop();
    policy.close();
  });
}

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

class RunningRouter implements Router {
  /** Contains secrets; `#`, so that printing the router prints none of them. */
  readonly #startConfig: ReadConfig;

  constructor(
    readonly policy: PermissionPolicy,
    startConfig: ReadConfig,
    readonly close: () => void,
  ) {
    this.#startConfig = startConfig;
  }

  get startConfig(): ReadConfig {
    return this.#startConfig;
  }
}
