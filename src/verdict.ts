/** What a source says of a request, and what the router makes of it. */
import type {
  PermissionCondition,
  PermissionCriteria,
} from '@backstage/plugin-permission-common';

/** A formula over a resource: a tree of `allOf`, `anyOf`, `not` and rule conditions. */
export type Criteria = PermissionCriteria<PermissionCondition>;

declare const parsed: unique symbol;

/**
 * Criteria whose every node has been checked. Made by `conditions/parse.ts` and
 * `conditions/algebra.ts` only, so nothing after them looks at the shape again.
 */
export type Conditions = Criteria & { readonly [parsed]: true };

/**
 * Why a source gave no answer of its own (XACML 3.0: Indeterminate).
 *
 * - `unavailable`: it could not be reached in time; the only class that fail-open opens.
 * - `overloaded`: there was no capacity to ask it, or it refused for lack of capacity.
 * - `invalid`: its answer cannot be trusted, or it broke.
 */
export type FailureClass = 'unavailable' | 'overloaded' | 'invalid';

/**
 * What an unavailable source counts as. `fail-closed`: DENY; nobody gets in during an outage.
 * `fail-open`: ALLOW; everybody does, also when a flood makes the source time out.
 */
export type OnUnavailable = 'fail-closed' | 'fail-open';

export interface Failure {
  readonly class: FailureClass;
  /** Stable and short, e.g. `TIMEOUT`, `ECONNREFUSED`, `HTTP_500`. */
  readonly code: string;
  readonly message: string;
  /** Of an unavailable source: when its first question of this outage failed, as epoch milliseconds. */
  readonly since?: number;
  /** Why the circuit breaker is open: the last failure of a question that was put. */
  readonly cause?: Pick<Failure, 'code' | 'message'> | undefined;
}

export interface Allow {
  readonly kind: 'ALLOW';
  readonly reason: string;
  /** Set when a failure was resolved to this verdict (fail-open). */
  readonly failure?: Failure;
  /** The ref of the user that a `bypass` allows everything. */
  readonly bypass?: string;
}

export interface Deny {
  readonly kind: 'DENY';
  readonly reason: string;
  /** Set when a failure was resolved to this verdict (fail-closed). */
  readonly failure?: Failure;
}

export interface Conditional {
  readonly kind: 'CONDITIONAL';
  readonly reason: string;
  readonly pluginId: string;
  readonly resourceType: string;
  readonly conditions: Conditions;
}

export interface NotApplicable {
  readonly kind: 'NOT_APPLICABLE';
  readonly reason: string;
}

/** What one source says of one request. */
export type Verdict = Allow | Deny | Conditional | NotApplicable;

/** A verdict that takes part in combining. */
export type ApplicableVerdict = Exclude<Verdict, NotApplicable>;

export const allow = (reason: string): Allow => ({ kind: 'ALLOW', reason });

export const deny = (reason: string): Deny => ({ kind: 'DENY', reason });

export const notApplicable = (reason: string): NotApplicable => ({
  kind: 'NOT_APPLICABLE',
  reason,
});

export const conditional = (
  reason: string,
  decision: { pluginId: string; resourceType: string; conditions: Conditions },
): Conditional => ({
  kind: 'CONDITIONAL',
  reason,
  pluginId: decision.pluginId,
  resourceType: decision.resourceType,
  conditions: decision.conditions,
});
