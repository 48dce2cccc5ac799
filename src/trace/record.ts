import type { Permission } from '@backstage/plugin-permission-common';
import type { Attempt } from '../guard/chain';
import type { Exchange } from '../sources/source';
import type { Criteria, Failure, Verdict } from '../verdict';

/** What one source of the route said. */
export interface SourceTrace {
  readonly source: string;
  /** `NOT_ASKED`: the result was settled before its turn. */
  readonly verdict: Verdict['kind'] | 'NOT_ASKED';
  readonly reason?: string;
  /** Set when the verdict stands for a failure. */
  readonly failure?: Failure | undefined;
  /** Time it took, in milliseconds. */
  readonly milliseconds?: number;
  /** Full input and response of an external policy; for the debug log only. */
  readonly exchange?: Exchange | undefined;
  /** True where the answer is that to another caller's identical question. */
  readonly shared?: boolean | undefined;
  /** Where it was asked, if it has several endpoints and the first one sufficed. */
  readonly endpoint?: string | undefined;
  /**
   * The source at each of its endpoints and its standbys, as far as they were asked, where it
   * was more than one; the last one decided unless `failure` is set.
   */
  readonly attempts?: readonly Attempt[] | undefined;
}

/** The record of one decision; explains it completely. */
export interface DecisionTrace {
  /** As asked; undefined if the request could not be read. */
  readonly permission: Readonly<Permission> | undefined;
  /** Entity ref; undefined for an anonymous request or where the identity could not be had. */
  readonly user: string | undefined;
  /** `routes[<index>] '<prefix>'`, `fallback`, or undefined when it did not come to routing. */
  readonly route: string | undefined;
  readonly sources: readonly SourceTrace[];
  readonly result: 'ALLOW' | 'DENY' | 'CONDITIONAL';
  readonly reason: string;
  /** Set when the decision is a denial for want of an identity, for joined conditions that are
   * too large, or for a bug of ours. */
  readonly failure: Failure | undefined;
  /** What Backstage is to apply; set when the decision is CONDITIONAL. */
  readonly conditions: Criteria | undefined;
  /** Of those conditions as JSON, in bytes. */
  readonly conditionSize:
    { readonly bytes: number; readonly limit: number } | undefined;
  /** Time of the whole decision, in milliseconds. */
  readonly milliseconds: number;
}

/** Receives every trace; what it throws changes no decision. */
export type TraceSink = (trace: DecisionTrace) => void;
