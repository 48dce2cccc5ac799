import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { patiently } from './patience';
import { startRouter } from './router';

/** The outcome of one decision. */
export interface Outcome {
  readonly name: string;
  readonly result: string;
  /** The failure code of the route's first source. */
  readonly code: string | undefined;
}

export interface InProcessRouter {
  /** Asks for a basic permission with this name. */
  ask(name: string): Promise<Outcome>;
  /** Loads another config, as a hot reload does. */
  reload(policyRouter: object): Promise<void>;
  close(): void;
}

/** A router for tests that ask thousands of questions by permission name. */
export async function startNameRouter(
  policyRouter: object,
  logger: LoggerService,
): Promise<InProcessRouter> {
  const codes = new Map<string, string | undefined>();
  const router = await startRouter(patiently(policyRouter), {
    // At info, as most backends log: thousands of debug lines would fill the memory.
    logger: { ...logger, debug: () => {} },
    sinks: [
      ({ permission, sources }) =>
        codes.set(permission!.name, sources[0]?.failure?.code),
    ],
  });
  return {
    async ask(name) {
      const { result } = await router.decide(queryOf(name), USER);
      const code = codes.get(name);
      codes.delete(name);
      return { name, result, code };
    },
    async reload(next) {
      await router.reload(patiently(next));
    },
    close: () => router.close(),
  };
}

/** A user who owns nothing. */
export const USER = {
  credentials: {},
  info: { userEntityRef: 'user:default/nolan', ownershipEntityRefs: [] },
} as unknown as PolicyQueryUser;

/** A query for a basic permission with this name. */
export const queryOf = (name: string): PolicyQuery => ({
  permission: { type: 'basic', name, attributes: {} },
});

/** How often each failure code occurred, or each result if there was no failure. */
export function tally(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { result, code = result } of outcomes) {
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}
