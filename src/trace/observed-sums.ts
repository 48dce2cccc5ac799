import { areSame } from '../conditions/algebra';
import { cut } from '../lib/bounded';
import { nameTest } from '../prefix';
import type { FailureClass } from '../verdict';
import { decidingFailure, fieldsOf, timeOf } from './facts';
import type { DecisionRecord, TraceSink } from './record';

/** Kept at most; what would be a further one is only counted. */
const MAX_SUMS = 10_000;
/** Of them, of one user: anybody can ask for names that nobody declares. */
const MAX_OF_USER = 1000;
/** Of one answer. */
export const MAX_LISTED_SUMS = 1000;
/** In characters, of a user and of the name of a source. */
const MAX_TEXT = 500;

type Result = DecisionRecord['result'];

/** Decisions that would be another one if they were enforced, and have the rest in common. */
export interface ObservedSum {
  /** The label of the route, or `fallback`. */
  readonly route: string;
  readonly user: string;
  /** The name of the permission. */
  readonly permission: string;
  readonly action: string | undefined;
  /** What was decided, and only recorded. */
  readonly result: Result;
  /** What Backstage got. */
  readonly given: Result;
  /** The first source that denied; undefined if none did. */
  readonly deniedBy: string | undefined;
  /** Of the failure that the denial rests on: an outage is no policy. */
  readonly failure: FailureClass | undefined;
  readonly count: number;
  /** When the first and the last of them began, in ISO 8601. */
  readonly first: string;
  readonly last: string;
  /** The number of the last one among the recent decisions. */
  readonly lastNumber: number;
}

interface Kept extends Omit<ObservedSum, 'first' | 'last'> {
  count: number;
  first: number;
  last: number;
  lastNumber: number;
}

export interface ObservedTotals {
  /** Decisions that were only recorded. */
  readonly observed: number;
  /** DENY, where Backstage got something else. */
  readonly wouldBeDenied: number;
  /** ALLOW, where Backstage got something else. */
  readonly wouldBeAllowed: number;
  /** CONDITIONAL, where Backstage got something else: nobody has applied the conditions. */
  readonly dependsOnResource: number;
  /** Of those three: not in the sums, because there are too many. */
  readonly leftOut: number;
}

/** Which sums somebody wants to see; absent: any. */
export interface SumSelection {
  readonly route?: string | undefined;
  /** Entity ref, in any case. */
  readonly user?: string | undefined;
  /** A prefix as routes have it, or a whole name. */
  readonly permission?: string | undefined;
  /** Default and maximum: 1000. */
  readonly limit?: number | undefined;
}

/** Sums what enforcing the observed decisions would change. In memory; of one table. */
export class ObservedSums {
  private sums = new Map<string, Kept>();
  /** How many sums each user has. */
  private ofUser = new Map<string, number>();
  private totals = noTotals();
  private since = Date.now();

  /**
   * @param digest - of the table in force.
   * @param number - of the decision that the sink gets, among the recent ones.
   */
  constructor(
    private digest: string,
    private readonly number: () => number,
  ) {}

  readonly sink: TraceSink = record => {
    const { observed, route, user, permission, result } = record;
    if (!observed || route === undefined || !permission) return;
    const { totals } = this;
    totals.observed++;
    if (!differs(record, observed)) return;
    totals[TOTAL_OF[result]]++;
    const key: Omit<Kept, 'count' | 'first' | 'last' | 'lastNumber'> = {
      route,
      user: cut(user ?? '', MAX_TEXT),
      permission: permission.name,
      action: fieldsOf(permission).action,
      result,
      given: observed.result,
      deniedBy: result === 'DENY' ? deniedBy(record) : undefined,
      failure: result === 'DENY' ? decidingFailure(record)?.class : undefined,
    };
    this.add(key, record.at);
  };

  /** Another table is another question: what was counted for the last one is dropped. */
  reloaded(digest: string): void {
    if (digest === this.digest) return;
    this.digest = digest;
    this.since = Date.now();
    this.sums = new Map();
    this.ofUser = new Map();
    this.totals = noTotals();
  }

  /** The sums that fit, the largest first. */
  answer({ route, user, permission, limit = MAX_LISTED_SUMS }: SumSelection = {}) {
    const isNamed = permission === undefined ? undefined : nameTest(permission);
    const ref = user?.toLocaleLowerCase('en-US');
    const fitting = [...this.sums.values()].filter(
      sum =>
        (route === undefined || sum.route === route) &&
        (ref === undefined || sum.user.toLocaleLowerCase('en-US') === ref) &&
        (!isNamed || isNamed(sum.permission)),
    );
    const listed = fitting
      .sort((a, b) => b.count - a.count || b.last - a.last)
      .slice(0, Math.min(limit, MAX_LISTED_SUMS));
    return {
      since: timeOf(this.since),
      digest: this.digest,
      totals: { ...this.totals },
      /** How many sums fit; those that are not listed included. */
      found: fitting.length,
      sums: listed.map(({ first, last, ...sum }): ObservedSum => ({
        ...sum,
        first: timeOf(first),
        last: timeOf(last),
      })),
    };
  }

  private add(key: Omit<Kept, 'count' | 'first' | 'last' | 'lastNumber'>, at: number) {
    const text = JSON.stringify(Object.values(key));
    const known = this.sums.get(text);
    const ofUser = this.ofUser.get(key.user) ?? 0;
    if (known) {
      known.count++;
      // Records come in the order in which decisions ended.
      known.first = Math.min(known.first, at);
      known.last = Math.max(known.last, at);
      known.lastNumber = this.number();
    } else if (this.sums.size < MAX_SUMS && ofUser < MAX_OF_USER) {
      this.ofUser.set(key.user, ofUser + 1);
      const lastNumber = this.number();
      this.sums.set(text, { ...key, count: 1, first: at, last: at, lastNumber });
    } else {
      this.totals.leftOut++;
    }
  }
}

const TOTAL_OF = {
  DENY: 'wouldBeDenied',
  ALLOW: 'wouldBeAllowed',
  CONDITIONAL: 'dependsOnResource',
} as const;

const noTotals = (): { -readonly [K in keyof ObservedTotals]: number } => ({
  observed: 0,
  wouldBeDenied: 0,
  wouldBeAllowed: 0,
  dependsOnResource: 0,
  leftOut: 0,
});

type Outcome = Pick<DecisionRecord, 'result' | 'pluginId' | 'conditions'>;

function differs(decided: Outcome, given: Outcome): boolean {
  if (decided.result !== given.result || decided.pluginId !== given.pluginId)
    return true;
  if (!decided.conditions || !given.conditions) return false;
  return !areSame(decided.conditions, given.conditions);
}

const deniedBy = ({ sources }: DecisionRecord): string | undefined => {
  const source = sources.find(({ verdict }) => verdict === 'DENY')?.source;
  return source === undefined ? undefined : cut(source, MAX_TEXT);
};
