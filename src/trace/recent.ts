import type { Attempt } from '../answer';
import { cut } from '../lib/bounded';
import { matchesName, parsePrefix } from '../prefix';
import type { FailureClass } from '../verdict';
import {
  failureOf,
  fieldsOf,
  fullFailureOf,
  hasTooLarge,
  isTooLarge,
  outageOf,
  timeOf,
  type PermissionFields,
} from './facts';
import type { DecisionRecord, SourceRecord, TraceSink } from './record';

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

/** A record of bounded size. */
export interface RecentDecision extends Omit<DecisionRecord, 'sources'> {
  /** Counts the decisions since the process started, from 1. */
  readonly number: number;
  readonly sources: readonly RecentSource[];
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
  const { reason, conditions, refs, sources } = record;
  const isLarge = hasTooLarge(record);
  const isSourceLarge = (source: SourceRecord): boolean =>
    source.conditions === conditions
      ? isLarge
      : source.conditions !== undefined && isTooLarge(source.conditions);
  const isSmall = (source: SourceRecord): boolean =>
    !source.exchange &&
    !source.attempts &&
    (source.reason === undefined || source.reason.length <= MAX_REASON) &&
    !isSourceLarge(source);
  const leftOut = (refs?.length ?? 0) - MAX_REFS;
  const isShort = leftOut <= 0 && reason.length <= MAX_REASON;
  if (!isLarge && isShort && sources.every(isSmall)) return record;
  return {
    ...record,
    reason: cut(reason, MAX_REASON),
    sources: sources.map(source => boundedSource(source, isSourceLarge(source))),
    ...(isLarge ? { conditions: undefined, conditionsLeftOut: true } : {}),
    ...(leftOut > 0 ? { refs: refs!.slice(0, MAX_REFS), refsLeftOut: leftOut } : {}),
  };
}

function boundedSource(
  { exchange: _, ...source }: SourceRecord,
  isLarge: boolean,
): RecentSource {
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
    outage: outageOf(decision) !== undefined,
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
    sources: sources.map(({ failure: ofSource, attempts, ...source }) => ({
      ...source,
      failure: ofSource && fullFailureOf(ofSource),
      attempts: attempts?.map(({ failure: ofAttempt, ...attempt }) => ({
        ...attempt,
        failure: ofAttempt && fullFailureOf(ofAttempt),
      })),
    })),
  };
}

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
  { after, result, user, permission, outage, limit = MAX_SELECTED }: Selection,
): RecentDecision[] {
  const isNamed = permission === undefined ? undefined : nameTest(permission);
  const ref = user?.toLocaleLowerCase('en-US');
  const fitting = all.filter(
    decision =>
      (after === undefined || decision.number > after) &&
      (result === undefined || decision.result === result) &&
      (ref === undefined || decision.user?.toLocaleLowerCase('en-US') === ref) &&
      (!isNamed || (decision.permission && isNamed(decision.permission.name))) &&
      (outage === undefined || (outageOf(decision) !== undefined) === outage),
  );
  const most = Math.max(0, Math.min(limit, MAX_SELECTED));
  if (after !== undefined) return fitting.slice(0, most);
  return fitting.slice(Math.max(0, fitting.length - most));
}

/** Whether a name fits a prefix as routes have it, or is the whole name. */
export function nameTest(text: string): (name: string) => boolean {
  try {
    const pattern = parsePrefix(text);
    return name => matchesName(pattern, name);
  } catch {
    // No prefix, but a name may have any characters.
    return name => name === text;
  }
}
