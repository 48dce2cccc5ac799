import type { CombiningAlgorithm } from '../combining/algorithms';
import type { VerifyConditions } from '../conditions/check';
import type { OnUnavailable } from '../guard/chain';
import type { RemoteGuardOptions } from '../guard/remote-guard';
import type { RoutePattern } from '../routing/route';
import type { OpaSourceOptions } from '../sources/opa/source';
import type { OpaWasmSourceOptions } from '../sources/opa-wasm/source';
import type { OwnershipSourceOptions } from '../sources/ownership/source';

export const CONFIG_PATH = 'permission.policyRouter';

/** Sources every table can name without configuring them. */
export const BUILT_IN = ['allow', 'deny'] as const;

/** A row of the routing table. */
export interface Route extends RoutePattern {
  /** `routes[<index>] '<prefix>'`; names the row in logs and traces. */
  readonly label: string;
  /** Names of sources, asked in this order; one or more. */
  readonly sources: readonly string[];
  readonly combine: CombiningAlgorithm;
  /** Wins over the source's. */
  readonly onUnavailable: OnUnavailable | undefined;
  /** When every source is NOT_APPLICABLE. */
  readonly default: 'allow' | 'deny';
}

/** What every source has that must be waited for, so that it can be away. */
interface RemoteSettings {
  readonly guard: RemoteGuardOptions;
  readonly onUnavailable: OnUnavailable;
  /** The source that decides while this one is unavailable or overloaded. */
  readonly standby: string | undefined;
}

export interface OpaSourceConfig extends RemoteSettings {
  readonly type: 'opa';
  /** Asked in this order, each while those before it are away; one or more. */
  readonly endpoints: readonly string[];
  readonly options: Omit<
    OpaSourceOptions,
    'baseUrl' | 'concurrency' | 'connectTimeout'
  >;
}

/** A policy that another module brings under the name of the source. */
export interface HostedSourceConfig extends RemoteSettings {
  readonly type: 'hosted';
}

export type RemoteSourceConfig = OpaSourceConfig | HostedSourceConfig;

export type SourceConfig =
  | RemoteSourceConfig
  | { readonly type: 'opa-wasm'; readonly options: OpaWasmSourceOptions }
  | { readonly type: 'ownership'; readonly options: OwnershipSourceOptions }
  | { readonly type: 'allow' | 'deny' };

export const isRemote = (
  source: SourceConfig | undefined,
): source is RemoteSourceConfig => source !== undefined && 'guard' in source;

export interface RouterConfig {
  /** For permissions no route matches. */
  readonly fallback: 'allow' | 'deny';
  /** What a request without a user gets; `evaluate` routes it like any other. */
  readonly anonymous: 'deny' | 'evaluate';
  /** Milliseconds for a whole decision. */
  readonly deadline: number;
  readonly verifyConditions: VerifyConditions;
  /** Of the conditions of a verdict or of a decision, as JSON. */
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
