import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { readConfig } from '../../src/config/read';
import { PolicyRouter } from '../../src/policy';
import { Snapshot } from '../../src/snapshot';
import { warnOfFailures } from '../../src/trace/failure-log';
import type { DecisionTrace } from '../../src/trace/record';
import { directoryOf } from './rule-directory';
import { BroughtSources } from '../../src/hosting/brought-sources';

/** What came of one decision. */
export interface Outcome {
  readonly name: string;
  readonly result: string;
  /** Of the route's first source. */
  readonly code: string | undefined;
}

export interface InProcessRouter {
  /** Asks for a basic permission of this name. */
  ask(name: string): Promise<Outcome>;
  /** Takes another config into use, as a hot reload does. */
  reload(policyRouter: object): Promise<void>;
  close(): void;
}

/** The router without a backend, for thousands of decisions: the config, the sources, the log. */
export async function startRouter(
  policyRouter: object,
  logger: LoggerService,
): Promise<InProcessRouter> {
  const lasting = {
    logger,
    ruleDirectory: directoryOf(),
    brought: new BroughtSources(),
  };
  let snapshot = await Snapshot.build(readConfig(policyRouter).config, lasting);
  const codes = new Map<string, string | undefined>();
  const router = new PolicyRouter(
    snapshot,
    { getUserInfo: () => Promise.reject(new Error('unasked')) },
    [
      warnOfFailures(logger),
      ({ permission, sources }: DecisionTrace) =>
        codes.set(permission!.name, sources[0]?.failure?.code),
    ],
  );
  return {
    async ask(name) {
      const { result } = await router.handle(queryOf(name), USER);
      const code = codes.get(name);
      codes.delete(name);
      return { name, result, code };
    },
    async reload(next) {
      snapshot = await Snapshot.build(readConfig(next).config, lasting, snapshot);
      router.swap(snapshot);
    },
    close: () => router.close(),
  };
}

/** Who owns nothing. */
export const USER = {
  credentials: {},
  info: { userEntityRef: 'user:default/nolan', ownershipEntityRefs: [] },
} as unknown as PolicyQueryUser;

/** A basic permission of this name. */
export const queryOf = (name: string): PolicyQuery => ({
  permission: { type: 'basic', name, attributes: {} },
});

/** How often each code came; the result where there was no failure. */
export function tally(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { result, code = result } of outcomes) {
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}
