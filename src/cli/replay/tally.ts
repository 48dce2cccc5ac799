/** Counts what was compared, and groups what changes. */
import { isOfOutage, type Recorded, type Skipped } from '../decisions/recorded';
import type { Change, Comparison } from './compare';

/** Decisions that change in the same way. */
export interface ChangeGroup {
  /** The name of the permission. */
  readonly permission: string;
  readonly from: {
    readonly result: Recorded['result'];
    readonly route: string | undefined;
  };
  /** `result` is absent where only the routes were compared. */
  readonly to: Change['to'];
  /** The sources that decide now; of a route that was only found, those that it asks. */
  readonly by: readonly string[];
  /** Whether both are CONDITIONAL, with other conditions. */
  readonly conditionsDiffer: boolean;
  readonly count: number;
  /** The first of them. */
  readonly example: {
    /** Absent for a request without a user. */
    readonly user: string | undefined;
    readonly at: string;
    /** Why the table decides so; absent where only the routes were compared. */
    readonly sentence: string | undefined;
  };
}

interface Counted extends ChangeGroup {
  count: number;
}

/** What a table would change of recorded decisions. */
export interface Replayed {
  /** Decisions that were read. */
  readonly read: number;
  readonly skipped: Skipped;
  /** Of those read, without those of an outage. */
  readonly decidedAgain: number;
  /** The same: only the route was compared, for want of what is needed to decide again. */
  readonly byRoute: {
    readonly withoutRefs: number;
    readonly withoutConditions: number;
  };
  readonly undetermined: Undetermined;
  /** Of those decided again: the result is another one, or the conditions are. */
  readonly changed: number;
  /** Of those decided again: another route makes the same decision. */
  readonly sameByOtherRoute: number;
  /** Of those compared by route: another route or other sources decide it. */
  readonly otherRoute: number;
  /** What changes, the largest groups first. */
  readonly groups: readonly ChangeGroup[];
  readonly groupsLeftOut: number;
  /** Recorded while a source was unavailable or overloaded: what was answered need not be the policy. */
  readonly duringOutage: {
    readonly read: number;
    readonly undetermined: number;
    /** The decision or the route is another one now. */
    readonly different: number;
    readonly groups: readonly ChangeGroup[];
    readonly groupsLeftOut: number;
  };
}

interface Undetermined {
  readonly count: number;
  readonly reasons: ReadonlyArray<{ readonly why: string; readonly count: number }>;
}

export class Tally {
  private read = 0;
  private decidedAgain = 0;
  private sameByOtherRoute = 0;
  private readonly byRoute = { withoutRefs: 0, withoutConditions: 0 };
  private readonly reasons = new Map<string, number>();
  private readonly changes = new Groups();
  private outages = 0;
  private undeterminedInOutage = 0;
  private readonly changesInOutage = new Groups();
  private changed = 0;
  private otherRoute = 0;

  /** How many have been added. */
  get count(): number {
    return this.read;
  }

  add(recorded: Recorded, comparison: Comparison): void {
    this.read++;
    if (isOfOutage(recorded)) {
      this.outages++;
      if (comparison.kind === 'undetermined') this.undeterminedInOutage++;
      else if (comparison.change) this.changesInOutage.add(recorded, comparison.change);
      return;
    }
    if (comparison.kind === 'undetermined') {
      this.reasons.set(comparison.why, (this.reasons.get(comparison.why) ?? 0) + 1);
      return;
    }
    const { change } = comparison;
    if (comparison.kind === 'result') {
      this.decidedAgain++;
      if (change) this.changed++;
      else if (comparison.isRouteOther) this.sameByOtherRoute++;
    } else {
      if (comparison.why === 'without-refs') this.byRoute.withoutRefs++;
      else this.byRoute.withoutConditions++;
      if (change) this.otherRoute++;
    }
    if (change) this.changes.add(recorded, change);
  }

  /** @param limit - of each list of groups. */
  result(skipped: Skipped, limit: number): Replayed {
    const reasons = [...this.reasons]
      .map(([why, count]) => ({ why, count }))
      .sort((one, other) => other.count - one.count);
    return {
      read: this.read,
      skipped,
      decidedAgain: this.decidedAgain,
      byRoute: this.byRoute,
      undetermined: {
        count: reasons.reduce((sum, { count }) => sum + count, 0),
        reasons,
      },
      changed: this.changed,
      sameByOtherRoute: this.sameByOtherRoute,
      otherRoute: this.otherRoute,
      ...this.changes.largest(limit),
      duringOutage: {
        read: this.outages,
        undetermined: this.undeterminedInOutage,
        different: this.changesInOutage.total,
        ...this.changesInOutage.largest(limit),
      },
    };
  }
}

class Groups {
  /** Of all groups. */
  total = 0;
  private readonly groups = new Map<string, Counted>();

  add(recorded: Recorded, { to, by, conditionsDiffer, sentence }: Change): void {
    this.total++;
    const { permission, result, route, user, at } = recorded;
    const parts = [permission.name, result, to.result, route, to.route, by];
    const key = JSON.stringify([...parts, conditionsDiffer]);
    const known = this.groups.get(key);
    if (known) {
      known.count++;
      return;
    }
    this.groups.set(key, {
      permission: permission.name,
      from: { result, route },
      to,
      by,
      conditionsDiffer,
      count: 1,
      example: { user, at, sentence: sentence?.() },
    });
  }

  /** Those of equal size in the order of their first decision. */
  largest(limit: number): Pick<Replayed, 'groups' | 'groupsLeftOut'> {
    const sorted = [...this.groups.values()].sort(
      (one, other) => other.count - one.count,
    );
    const groups = sorted.slice(0, limit);
    return { groups, groupsLeftOut: sorted.length - groups.length };
  }
}
