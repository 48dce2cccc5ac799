/** What enforcing the observed decisions would change, summed from recorded ones. */
import { nameTest } from '../../prefix';
import type { Recorded } from '../decisions/recorded';
import { sameText } from '../replay/again';

type Result = Recorded['result'];

/** Decisions that would be another one if they were enforced, and have the rest in common. */
export interface ObservedSum {
  /** The label of the route, or `fallback`. */
  readonly route: string;
  readonly user: string;
  /** The name of the permission. */
  readonly permission: string;
  readonly action?: string | undefined;
  /** What was decided, and only recorded. */
  readonly result: Result;
  /** What Backstage got. */
  readonly given: Result;
  /** The first source that denied; absent if none did. */
  readonly deniedBy?: string | undefined;
  /** The class of the failure that the denial rests on: an outage is no policy. */
  readonly failure?: string | undefined;
  readonly count: number;
  /** When the first and the last of them began, in ISO 8601. */
  readonly first: string;
  readonly last: string;
}

/** As `GET observed` answers; from a file without `since` and `digest`. */
export interface Observed {
  /** When counting began, in ISO 8601. */
  readonly since?: string;
  /** Of the table in force. */
  readonly digest?: string;
  /** Of all decisions, whatever is selected. */
  readonly totals: {
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
  };
  /** How many sums fit; those that are not listed included. */
  readonly found: number;
  /** The most frequent first. */
  readonly sums: readonly ObservedSum[];
}

/** Which sums somebody wants to see; absent: any. */
export interface Selection {
  readonly route?: string | undefined;
  /** Entity ref, in any case. */
  readonly user?: string | undefined;
  /** A prefix as routes have it, or a whole name. */
  readonly permission?: string | undefined;
}

const TOTAL_OF = {
  DENY: 'wouldBeDenied',
  ALLOW: 'wouldBeAllowed',
  CONDITIONAL: 'dependsOnResource',
} as const;

interface Counted extends ObservedSum {
  count: number;
  first: string;
  last: string;
}

export class RecordedSums {
  private readonly sums = new Map<string, Counted>();
  private readonly totals = {
    observed: 0,
    wouldBeDenied: 0,
    wouldBeAllowed: 0,
    dependsOnResource: 0,
    leftOut: 0,
  };

  add(recorded: Recorded): void {
    const { observed, route, user = '', permission, result, at } = recorded;
    if (!observed || route === undefined) return;
    this.totals.observed++;
    if (!differs(recorded, observed)) return;
    this.totals[TOTAL_OF[result]]++;
    const sum = {
      route,
      user,
      permission: permission.name,
      action: permission.action,
      result,
      given: observed.result,
      deniedBy: result === 'DENY' ? deniedBy(recorded) : undefined,
      failure: result === 'DENY' ? failureOf(recorded) : undefined,
    };
    const key = JSON.stringify(Object.values(sum));
    const known = this.sums.get(key);
    if (!known) {
      this.sums.set(key, { ...sum, count: 1, first: at, last: at });
      return;
    }
    known.count++;
    // Times in ISO 8601, all in UTC, are in the order of their texts.
    if (at < known.first) known.first = at;
    if (at > known.last) known.last = at;
  }

  /** All sums that fit, the largest first. */
  answer({ route, user, permission }: Selection): Observed {
    const isNamed = permission === undefined ? undefined : nameTest(permission);
    const ref = user?.toLocaleLowerCase('en-US');
    const fitting = [...this.sums.values()]
      .filter(
        sum =>
          (route === undefined || sum.route === route) &&
          (ref === undefined || sum.user.toLocaleLowerCase('en-US') === ref) &&
          (!isNamed || isNamed(sum.permission)),
      )
      .sort(
        (one, other) => other.count - one.count || other.last.localeCompare(one.last),
      );
    return {
      totals: this.totals,
      found: fitting.length,
      sums: fitting,
    };
  }
}

/** Conditions that were not recorded count as different, as two that are not the same do. */
function differs(
  { result, conditions }: Recorded,
  observed: NonNullable<Recorded['observed']>,
): boolean {
  if (result !== observed.result) return true;
  if (result !== 'CONDITIONAL') return false;
  return (
    !conditions ||
    !observed.conditions ||
    sameText(conditions) !== sameText(observed.conditions)
  );
}

const deniedBy = ({ sources }: Recorded): string | undefined =>
  sources.find(({ verdict }) => verdict === 'DENY')?.source;

/** Of the decision itself, or of a source whose failure counts as DENY. */
const failureOf = ({ failure, sources }: Recorded): string | undefined =>
  (failure ?? sources.find(each => each.failure && each.verdict === 'DENY')?.failure)
    ?.class;
