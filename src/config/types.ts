import type { CombiningAlgorithm } from '../combining/algorithms';
import type { VerifyConditions } from '../conditions/check';
import type { RoutePattern } from '../routing/route';
import type { SourceConfig } from '../sources/kind';
import type { OnUnavailable } from '../verdict';

export const CONFIG_PATH = 'permission.policyRouter';

/** A row of the routing table. */
export interface Route extends RoutePattern {
  /** `routes[<index>] '<prefix>'`; names the row in logs and traces. */
  readonly label: string;
  /** Names of sources, asked in this order; one or more. */
  readonly sources: readonly string[];
  readonly combine: CombiningAlgorithm;
  /** Overrides that of the sources. */
  readonly onUnavailable: OnUnavailable | undefined;
  /** The result if every source is NOT_APPLICABLE. */
  readonly default: 'allow' | 'deny';
}

export interface RouterConfig {
  /** For permissions that no route matches. */
  readonly fallback: 'allow' | 'deny';
  /** For a request without a user; `evaluate` routes it like any other. */
  readonly anonymous: 'deny' | 'evaluate';
  /** Milliseconds for a whole decision. */
  readonly deadline: number;
  readonly verifyConditions: VerifyConditions;
  /** The limit for the conditions of one verdict or decision, as JSON. */
  readonly maxConditionBytes: number;
  /** By name, the built-in `allow` and `deny` included. */
  readonly sources: ReadonlyMap<string, SourceConfig>;
  readonly routes: readonly Route[];
}

/** Something wrong in the config, with its path, e.g. `permission.policyRouter.routes[0].sources`. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

/** Every problem of a config at once. */
export class ConfigError extends Error {
  override readonly name = 'PolicyRouterConfigError';

  constructor(readonly problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? '1 error' : `${problems.length} errors`;
    const lines = problems.map(({ path, message }) => `  - ${path}: ${message}`);
    super(`the policy router's config has ${count}:\n${lines.join('\n')}`);
  }
}
