import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import type { ReadConfig } from '../../src/config/read';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { createRouter, type Router, type RouterServices } from '../../src/router';
import type { DecisionRecord, TraceSink } from '../../src/trace/record';
import { CapturedLogs } from './captured-logs';
import { ChangingConfig } from './changing-config';
import { unread } from './rule-directory';

export interface StartRouterOptions extends Partial<RouterServices> {
  readonly sinks?: readonly TraceSink[];
  /** Called with every changed config, once decisions are made with it. */
  readonly onReload?: (read: ReadConfig) => void;
}

export interface TestRouter {
  /** As Backstage asks it, except that its decisions reach the sinks before the caller. */
  readonly policy: PermissionPolicy;
  /** As Backstage asks it. */
  readonly undelayed: PermissionPolicy;
  decide(query: PolicyQuery, user?: PolicyQueryUser): Promise<PolicyDecision>;
  /** What it would decide, beside the decisions. */
  readonly explain: Router['policy']['explain'];
  readonly shadows: Router['shadows'];
  /** How its sources are. */
  readonly statuses: () => ReturnType<Router['policy']['snapshot']['statuses']>;
  /** The record of the last decision. */
  readonly record: Readonly<DecisionRecord> | undefined;
  /** Changes the config, which need not be valid. */
  change(policyRouter: object): void;
  /** Changes the config; resolves once decisions are made with it, so it must be valid. */
  reload(policyRouter: object): Promise<ReadConfig>;
  close(): void;
}

/**
 * The router as `src/router.ts` puts it together, without a backend, on a config that changes.
 * By default no module provides a policy, no plugin's rules can be read, and the user must come
 * with its info.
 */
export async function startRouter(
  policyRouter: object,
  { sinks = [], onReload = () => {}, ...services }: StartRouterOptions = {},
): Promise<TestRouter> {
  const config = new ChangingConfig(policyRouter);
  let reloaded: (read: ReadConfig) => void = () => {};
  let record: Readonly<DecisionRecord> | undefined;
  const router = await createRouter({
    config: config.service,
    services: {
      userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
      readRules: () => Promise.resolve(unread),
      policies: new ProvidedPolicies(),
      logger: new CapturedLogs().logger(),
      ...services,
    },
    sinks: [
      ...sinks,
      next => {
        record = next;
      },
    ],
    onReload: read => {
      onReload(read);
      reloaded(read);
    },
  });
  const policy = delivering(router);
  return {
    policy,
    undelayed: router.policy,
    decide: (query, user) => policy.handle(query, user),
    explain: (...asked) => router.policy.explain(...asked),
    shadows: router.shadows,
    statuses: () => router.policy.snapshot.statuses(),
    get record() {
      return record;
    },
    change: next => config.change(next),
    reload(next) {
      return new Promise(resolve => {
        reloaded = resolve;
        config.change(next);
      });
    },
    close: () => router.close(),
  };
}

/** The policy of a router; its decisions reach the sinks before they reach the caller. */
export const delivering = (
  router: Pick<Router, 'policy' | 'flush'>,
): PermissionPolicy => ({
  async handle(query, user) {
    const decision = await router.policy.handle(query, user);
    router.flush();
    return decision;
  },
});
