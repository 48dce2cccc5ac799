import type { Permission } from '@backstage/plugin-permission-common';
import type { Declared } from '../declared/complete';
import type { AnswerDetails, Attempt } from '../answer';
import type { ApplicableVerdict, Conditions, Failure, Verdict } from '../verdict';

/** What one source of the route said. */
export interface SourceRecord extends AnswerDetails {
  readonly source: string;
  /** `NOT_ASKED`: the result was settled before its turn. */
  readonly verdict: Verdict['kind'] | 'NOT_ASKED';
  readonly reason?: string;
  /** Set if the verdict is CONDITIONAL. */
  readonly conditions?: Conditions | undefined;
  /** Of the user, if a `bypass` allowed everything to it. */
  readonly bypass?: string | undefined;
  /** Set when the verdict replaces a failure. */
  readonly failure?: Failure | undefined;
  /** Time taken, in milliseconds. */
  readonly milliseconds?: number;
  /** Where it was asked, if it has several endpoints and the first one sufficed. */
  readonly endpoint?: string | undefined;
  /**
   * The links of its chain that were asked, if there was more than one: its endpoints, then its
   * standbys. The last one decided, unless `failure` is set.
   */
  readonly attempts?: readonly Attempt[] | undefined;
}

/** Under observe: what was given in place of the decision, by which source. */
export interface ObservedRecord extends Readonly<
  Pick<
    DecisionRecord,
    | 'result'
    | 'reason'
    | 'failure'
    | 'cannotAsk'
    | 'pluginId'
    | 'conditions'
    | 'withoutResource'
    | 'conditionSize'
  >
> {
  /** The name of the source that answers. */
  readonly answer: string;
  /** When decisions begin to be enforced, as epoch milliseconds. */
  readonly until: number;
  /** What it said; undefined if it could not be asked because of a bug in the router. */
  readonly source: SourceRecord | undefined;
}

/** The record of one decision; explains it completely. The stages fill it in, in their order. */
export interface DecisionRecord {
  /** When it began, as epoch milliseconds. */
  at: number;
  /** As it was decided; undefined if the request could not be read. */
  permission: Readonly<Permission> | undefined;
  /** As it was asked, if something was missing and was filled in as the plugin declares it. */
  asked: Readonly<Permission> | undefined;
  /** How it compares with what the plugins declare, unless it is the same. */
  declared: Exclude<Declared, 'same'> | undefined;
  /** Entity ref; undefined for an anonymous request or if the identity could not be obtained. */
  user: string | undefined;
  /** The user's ownership refs, as the identity has them; undefined like `user`. */
  refs: readonly string[] | undefined;
  /** The label of the route, `fallback`, or undefined if the decision fell before routing. */
  route: string | undefined;
  /** The place of the route in the list of the config, from 0; undefined if no route matches. */
  routeIndex: number | undefined;
  /** If no route matches: the labels of those that came nearest. */
  nearest: readonly string[] | undefined;
  readonly sources: SourceRecord[];
  result: ApplicableVerdict['kind'];
  reason: string;
  /**
   * Set if the decision is DENY because there is no identity, because the combined conditions are
   * too large, because it waited too long for its turn, or because of a bug in the router.
   */
  failure: Failure | undefined;
  /**
   * Set if an explanation is not certain: the sources that only the user in person can ask, and
   * without which the result is not settled.
   */
  cannotAsk: readonly string[] | undefined;
  /** The plugin that owns the conditions; set if the decision is CONDITIONAL. */
  pluginId: string | undefined;
  /** For Backstage to apply; set if the decision is CONDITIONAL. */
  conditions: Conditions | undefined;
  /**
   * Set if the decision would be CONDITIONAL, but the caller asked without a resource, and so
   * cannot apply conditions.
   */
  withoutResource: true | undefined;
  /** Of those conditions as JSON, in bytes. */
  conditionSize: { readonly bytes: number; readonly limit: number } | undefined;
  /**
   * Set if the decision is only recorded: what Backstage got. The other fields are as if it were
   * enforced.
   */
  observed: ObservedRecord | undefined;
  /** Time of the whole decision, in milliseconds; under observe, until what is given. */
  milliseconds: number;
}

/** A record that no stage has filled in says DENY. */
export const newRecord = (): DecisionRecord => ({
  at: Date.now(),
  permission: undefined,
  asked: undefined,
  declared: undefined,
  user: undefined,
  refs: undefined,
  route: undefined,
  routeIndex: undefined,
  nearest: undefined,
  sources: [],
  result: 'DENY',
  reason: 'not decided',
  failure: undefined,
  cannotAsk: undefined,
  pluginId: undefined,
  conditions: undefined,
  withoutResource: undefined,
  conditionSize: undefined,
  observed: undefined,
  milliseconds: 0,
});

/** Receives the record of every decision; if it throws, no decision changes. */
export type TraceSink = (record: Readonly<DecisionRecord>) => void;
