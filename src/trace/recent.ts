import type { Attempt } from '../answer';
import { cut } from '../lib/bounded';
import { nameTest } from '../prefix';
import type { FailureClass } from '../verdict';
import {
  anyOutageOf,
  failureOf,
  fieldsOf,
  fullFailureOf,
  hasTooLarge,
  isTooLarge,
  timeOf,
  type PermissionFields,
} from './facts';
import type { DecisionRecord, ObservedRecord, SourceRecord, TraceSink } from './record';

/** In characters. */
const MAX_REASON = 1000;
/** Of a user. */
const MAX_REFS = 100;
/** Of one answer to a query. */
export const MAX_SELECTED = 500;

/** What a source said, without what a Rego policy was sent and answered. */
export interface RecentSource extends Omit<SourceRecord, 'exchange'> {
  /** Its conditions have more than 8 kB as JSON, and are not kept. */
  readonly conditionsLeftOut?: true;
}

/** What was given under observe, of bounded size. */
export interface RecentObserved extends Omit<ObservedRecord, 'source'> {
  readonly source: RecentSource | undefined;
  /** The conditions have more than 8 kB as JSON, and are not kept. */
  readonly conditionsLeftOut?: true;
}

/** A record of bounded size. */
export interface RecentDecision extends Omit<DecisionRecord, 'sources' | 'observed'> {
  /** Counts the decisions since the process started, from 1. */
  readonly number: number;
  readonly sources: readonly RecentSource[];
  readonly observed: RecentObserved | undefined;
  /** How many more than the first 100 the user has. */
  readonly refsLeftOut?: number;
  /** The conditions have more than 8 kB as JSON, and are not kept. */
  readonly conditionsLeftOut?: true;
}

type Kept = Omit<RecentDecision, 'number'>;

/** The latest decisions, in memory. Decision n is at place n - 1, modulo the limit. */
export class RecentDecisions {
  private ring: Kept[] = [];
  private count = 0;

  /** @param limit - how many are kept; 0 keeps none. */
  constructor(private limit: number) {}

  readonly sink: TraceSink = record => {
    this.count++;
    if (this.limit === 0) return;
    this.ring[(this.count - 1) % this.limit] = bounded(record);
  };

  /** The number of the last decision; 0 before the first. */
  get last(): number {
    return this.count;
  }

  /** From the oldest to the newest. */
  all(): RecentDecision[] {
    const all: RecentDecision[] = [];
    for (let number = this.count - this.limit + 1; number <= this.count; number++) {
      const found = this.get(number);
      if (found) all.push(found);
    }
    return all;
  }

  /** Undefined if it is no longer kept, or not yet made. */
  get(number: number): RecentDecision | undefined {
    if (number <= this.count - this.limit || number > this.count) return undefined;
    const found = this.ring[(number - 1) % this.limit];
    return found && { ...found, number };
  }

  /** Keeps so many from now on, the newest ones of those that are there. */
  resize(limit: number): void {
    if (limit === this.limit) return;
    const kept = limit === 0 ? [] : this.all().slice(-limit);
    this.limit = limit;
    this.ring = [];
    for (const { number, ...each } of kept) this.ring[(number - 1) % limit] = each;
  }
}

/**
 * The record itself if it is small, as most are: copying costs more than all else. Everything that
 * is not looked at has a limit of its own.
 */
function bounded(record: Readonly<DecisionRecord>): Kept {
  const { refs } = record;
  const { observed: given } = record;
  const observed = given && boundedOutcome(given, given.source ? [given.source] : []);
  const decided = boundedOutcome(record, record.sources);
  const leftOut = (refs?.length ?? 0) - MAX_REFS;
  if (!decided && !observed && leftOut <= 0) return record;
  return {
    ...record,
    ...decided,
    ...(given && observed
      ? { observed: { ...given, ...withOneSource(observed) } }
      : {}),
    ...(leftOut > 0 ? { refs: refs!.slice(0, MAX_REFS), refsLeftOut: leftOut } : {}),
  };
}

interface BoundedOutcome {
  readonly reason: string;
  readonly sources: readonly RecentSource[];
  readonly conditions?: undefined;
  readonly conditionsLeftOut?: true;
}

const withOneSource = ({ sources, ...outcome }: BoundedOutcome) => ({
  ...outcome,
  source: sources[0],
});

/** Undefined if nothing of it is too large. */
function boundedOutcome(
  outcome: Pick<DecisionRecord, 'reason' | 'conditions' | 'conditionSize'>,
  sources: readonly SourceRecord[],
): BoundedOutcome | undefined {
  const { reason, conditions } = outcome;
  const isLarge = hasTooLarge(outcome);
  const isSourceLarge = (source: SourceRecord): boolean =>
    source.conditions === conditions
      ? isLarge
      : source.conditions !== undefined && isTooLarge(source.conditions);
  const isSmall = (source: SourceRecord): boolean =>
    !source.exchange &&
    !source.attempts &&
    (source.reason === undefined || source.reason.length <= MAX_REASON) &&
    !isSourceLarge(source);
  const isShort = reason.length <= MAX_REASON;
  if (!isLarge && isShort && sources.every(isSmall)) return undefined;
  return {
    reason: cut(reason, MAX_REASON),
    sources: sources.map(source => boundedSource(source, isSourceLarge(source))),
    ...(isLarge ? { conditions: undefined, conditionsLeftOut: true } : {}),
  };
}

function boundedSource(whole: SourceRecord, isLarge: boolean): RecentSource {
  // Leaving the key out would take several times as long.
  const source = { ...whole, exchange: undefined };
  const { attempts, reason = '' } = source;
  if (!attempts && !isLarge && reason.length <= MAX_REASON) return source;
  return {
    ...source,
    reason: cut(reason, MAX_REASON),
    attempts: attempts?.map(withoutExchange),
    ...(isLarge ? { conditions: undefined, conditionsLeftOut: true } : {}),
  };
}

const withoutExchange = ({ exchange: _, ...attempt }: Attempt): Attempt => attempt;

/** What operators see of each decision in a list: no refs, and no condition values. */
export interface DecisionSummary extends Pick<
  RecentDecision,
  | 'number'
  | 'user'
  | 'declared'
  | 'route'
  | 'routeIndex'
  | 'result'
  | 'reason'
  | 'milliseconds'
> {
  /** ISO 8601, in UTC. */
  readonly at: string;
  readonly permission: PermissionFields | undefined;
  readonly asked: PermissionFields | undefined;
  /** Set if it was only recorded: which source answered, and what. */
  readonly observed:
    { readonly answer: string; readonly result: DecisionRecord['result'] } | undefined;
  /** Whether something was unavailable or overloaded. */
  readonly outage: boolean;
  readonly sources: ReadonlyArray<{
    readonly source: string;
    readonly verdict: SourceRecord['verdict'];
    readonly failure:
      | {
          readonly class: FailureClass;
          readonly code: string;
          readonly since: string | undefined;
        }
      | undefined;
  }>;
}

export function summaryOf(decision: RecentDecision): DecisionSummary {
  const { number, user, permission, asked, declared, route, routeIndex } = decision;
  const { result, reason, milliseconds, sources } = decision;
  return {
    number,
    at: timeOf(decision.at),
    user,
    permission: permission && fieldsOf(permission),
    asked: asked && fieldsOf(asked),
    declared,
    route,
    routeIndex,
    result,
    reason,
    milliseconds,
    observed: decision.observed && {
      answer: decision.observed.answer,
      result: decision.observed.result,
    },
    outage: anyOutageOf(decision) !== undefined,
    sources: sources.map(({ source, verdict, failure }) => ({
      source,
      verdict,
      failure: failure && failureOf(failure),
    })),
  };
}

/** All that is kept of one decision. */
export function detailOf(decision: RecentDecision) {
  const { refs, refsLeftOut, nearest, failure, conditions } = decision;
  const { conditionsLeftOut, conditionSize, withoutResource, sources } = decision;
  return {
    ...summaryOf(decision),
    refs,
    refsLeftOut,
    nearest,
    failure: failure && fullFailureOf(failure),
    conditions,
    conditionsLeftOut,
    conditionSize,
    withoutResource,
    observed: decision.observed && observedDetail(decision.observed),
    sources: sources.map(sourceDetail),
  };
}

const observedDetail = ({ until, failure, source, ...observed }: RecentObserved) => ({
  ...observed,
  until: timeOf(until),
  failure: failure && fullFailureOf(failure),
  source: source && sourceDetail(source),
});

const sourceDetail = ({ failure, attempts, ...source }: RecentSource) => ({
  ...source,
  failure: failure && fullFailureOf(failure),
  attempts: attempts?.map(({ failure: ofAttempt, ...attempt }) => ({
    ...attempt,
    failure: ofAttempt && fullFailureOf(ofAttempt),
  })),
});

/** Which decisions somebody wants to see; absent: any. */
export interface Selection {
  /** The number of a decision: only later ones. */
  readonly after?: number | undefined;
  readonly result?: DecisionRecord['result'] | undefined;
  /** Entity ref, in any case. */
  readonly user?: string | undefined;
  /** A prefix as routes have it, or a whole name. */
  readonly permission?: string | undefined;
  /** Whether something was unavailable or overloaded. */
  readonly outage?: boolean | undefined;
  /** Whether it was only recorded, while another source answered. */
  readonly observed?: boolean | undefined;
  /** Default and maximum: 500. */
  readonly limit?: number | undefined;
}

/**
 * The decisions that fit, from the oldest to the newest. If there are more than the limit: the
 * newest ones; but with `after` the oldest ones, so that nothing is missed by asking again.
 *
 * @param all - from the oldest to the newest.
 */
export function select(
  all: readonly RecentDecision[],
  {
    after,
    result,
    user,
    permission,
    outage,
    observed,
    limit = MAX_SELECTED,
  }: Selection,
): RecentDecision[] {
  const isNamed = permission === undefined ? undefined : nameTest(permission);
  const ref = user?.toLocaleLowerCase('en-US');
  const fitting = all.filter(
    decision =>
      (after === undefined || decision.number > after) &&
      (result === undefined || decision.result === result) &&
      (ref === undefined || decision.user?.toLocaleLowerCase('en-US') === ref) &&
      (!isNamed || (decision.permission && isNamed(decision.permission.name))) &&
      (outage === undefined || (anyOutageOf(decision) !== undefined) === outage) &&
      (observed === undefined || (decision.observed !== undefined) === observed),
  );
  const most = Math.max(0, Math.min(limit, MAX_SELECTED));
  if (after !== undefined) return fitting.slice(0, most);
  return fitting.slice(Math.max(0, fitting.length - most));
}
