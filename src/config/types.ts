import type { CombiningAlgorithm } from '../combining/algorithms';
import type { VerifyConditions } from '../conditions/check';
import { cut } from '../lib/bounded';
import type { RoutePattern } from '../routing/route';
import type { SourceConfig } from '../sources/kind';
import type { OnUnavailable } from '../verdict';

export const CONFIG_PATH = 'permission.policyRouter';

/** The answer of a source is given, while decisions are only recorded. */
export interface Observe {
  /** The name of the source. */
  readonly answer: string;
  /** From then on decisions are enforced, as epoch milliseconds. */
  readonly until: number;
}

/** A row of the routing table. */
export interface Route extends RoutePattern {
  /** What it fits, see `routeLabel`; names the row in logs, traces and metrics. */
  readonly label: string;
  /** Its place in the list of the config, from 0. */
  readonly index: number;
  /** Names of sources, asked in this order; one or more. */
  readonly sources: readonly string[];
  readonly combine: CombiningAlgorithm;
  /** Overrides that of the sources. */
  readonly onUnavailable: OnUnavailable | undefined;
  /** The result if every source is NOT_APPLICABLE. */
  readonly default: 'allow' | 'deny';
  /** Overrides that of the router; false: its decisions are enforced. */
  readonly observe?: Observe | false | undefined;
}

/** Which decisions are audited. */
export const AUDIT_MODES = ['all', 'denials', 'off'] as const;
export type AuditMode = (typeof AUDIT_MODES)[number];

/** What people see of the decisions; none of it changes one. */
export interface Visibility {
  /** Entity refs, in lower case, of those who may see other people's decisions. */
  readonly operators: readonly string[];
  readonly audit: AuditMode;
  /** How many decisions are kept in memory for operators. */
  readonly recentDecisions: number;
}

/** A source that is compared with another one, see `shadow/`. */
export interface Shadow {
  /** The source that is asked in its place. */
  readonly source: string;
  /** Of the decisions, how many are compared; 1–100. */
  readonly percent: number;
}

export interface RouterConfig {
  /** For permissions that no route matches. */
  readonly fallback: 'allow' | 'deny';
  /** For the fallback, and for routes that say nothing of it. */
  readonly observe?: Observe | undefined;
  /** For a request without a user; `evaluate` routes it like any other. */
  readonly anonymous: 'deny' | 'evaluate';
  /** Milliseconds for a whole decision. */
  readonly deadline: number;
  readonly verifyConditions: VerifyConditions;
  /** The limit for the conditions of one verdict or decision, as JSON. */
  readonly maxConditionBytes: number;
  /** By name, the built-in `allow` and `deny` included. */
  readonly sources: ReadonlyMap<string, SourceConfig>;
  /** What CONDITIONAL becomes where the caller asked without a resource. */
  readonly whenAskedWithoutResource: 'allow' | 'deny';
  /** Ids of plugins that are asked for their permissions besides those installed here. */
  readonly declaredBy: readonly string[];
  readonly visibility: Visibility;
  /** By the name of the source that is replaced; decides nothing. */
  readonly shadow: ReadonlyMap<string, Shadow>;
  readonly routes: readonly Route[];
}

/** Something wrong in the config, with its path, e.g. `permission.policyRouter.routes[0].sources`. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
  readonly at?: ConfigPlace | undefined;
}

/** Where something is written. */
export interface ConfigPlace {
  /** As configured; undefined for app-config. */
  readonly routingFile: string | undefined;
  /** Below `permission.policyRouter`, or in the routing file. */
  readonly keys: ReadonlyArray<string | number>;
}

/** How many problems an error lists, and how many warnings are logged. */
export const MAX_LISTED = 50;

/** In characters, of a path and of a message. */
export const MAX_LENGTH = 500;

/** The problems of a config at once, at most 50 of them, each of bounded length. */
export class ConfigError extends Error {
  override readonly name = 'PolicyRouterConfigError';
  readonly problems: readonly ConfigProblem[];
  /** How many there are, those that are not listed included. */
  readonly count: number;

  /**
   * @param problems - the first 50 are enough if `count` is given.
   * @param count - how many there are.
   */
  constructor(problems: readonly ConfigProblem[], count = problems.length) {
    const listed = problems.slice(0, MAX_LISTED).map(({ path, message, at }) => ({
      path: cut(path, MAX_LENGTH),
      message: cut(message, MAX_LENGTH),
      ...(at ? { at } : {}),
    }));
    const errors = count === 1 ? '1 error' : `${count} errors`;
    const which = count > listed.length ? `, the first ${listed.length}` : '';
    const lines = listed.map(({ path, message }) => `  - ${path}: ${message}`);
    super(`the policy router's config has ${errors}${which}:\n${lines.join('\n')}`);
    this.problems = listed;
    this.count = count;
  }
}
