import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { patiently } from './patience';
import { startRouter } from './router';

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

/** A router that is asked by the names of permissions, thousands of times. */
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
