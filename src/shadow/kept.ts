/** What is kept of the comparisons, in memory: counts, and the latest differences. */
import { cut } from '../lib/bounded';
import { fieldsOf, isTooLarge, type PermissionFields } from '../trace/facts';
import type { DecisionRecord, SourceRecord } from '../trace/record';
import type { Conditions } from '../verdict';
import { UNDETERMINED, type Outcome, type Undetermined } from './compare';

/** Differences that are kept. */
export const MAX_DIFFERENCES = 200;
/** In characters. */
const MAX_REASON = 500;
/** Of one difference. */
const MAX_SOURCES = 20;

/** The source that is replaced, and the one in its place. */
export interface Pair {
  readonly replaced: string;
  readonly by: string;
}

export interface Counts extends Pair {
  /** The label of the route. */
  readonly route: string;
  same: number;
  differs: number;
  readonly undetermined: Record<Undetermined, number>;
  /** Too many were under way at once, or the config was changed before it began. */
  skipped: number;
}

interface Side {
  readonly result: DecisionRecord['result'];
  readonly reason: string;
  readonly pluginId: string | undefined;
  readonly conditions: Conditions | undefined;
  /** The conditions have more than 8 kB as JSON, and are not kept. */
  readonly conditionsLeftOut: true | undefined;
}

export interface Difference extends Pair {
  /** When the decision began, as epoch milliseconds. */
  readonly at: number;
  readonly user: string | undefined;
  readonly permission: PermissionFields | undefined;
  readonly route: string;
  /** As it was decided. */
  readonly live: Side;
  /** As it would have been decided. */
  readonly shadow: Side & {
    /** The first 20. */
    readonly sources: ReadonlyArray<
      Pick<SourceRecord, 'source' | 'verdict' | 'reason'>
    >;
  };
}

export class Kept {
  /** When it began to count. */
  readonly since = new Date();
  private readonly byKey = new Map<string, Counts>();
  private readonly ring: Difference[] = [];

  /** In the order in which the first of each was counted. */
  get counts(): readonly Readonly<Counts>[] {
    return [...this.byKey.values()];
  }

  /** The latest 200, newest last. */
  get differences(): readonly Difference[] {
    return this.ring;
  }

  add(
    { replaced, by }: Pair,
    live: Readonly<DecisionRecord>,
    outcome: Outcome | { readonly kind: 'skipped' },
  ): void {
    const counts = this.of({ replaced, by }, live.route!);
    if (outcome.kind !== 'undetermined') counts[outcome.kind]++;
    else counts.undetermined[outcome.why]++;
    if (outcome.kind !== 'differs') return;
    if (this.ring.length === MAX_DIFFERENCES) this.ring.shift();
    this.ring.push({
      at: live.at,
      user: live.user,
      permission: live.permission && fieldsOf(live.permission),
      route: live.route!,
      replaced,
      by,
      live: sideOf(live),
      shadow: { ...sideOf(outcome.record), sources: sourcesOf(outcome.record) },
    });
  }

  /** Forgets the counts of other routes. */
  keepRoutes(labels: ReadonlySet<string>): void {
    for (const [key, { route }] of this.byKey)
      if (!labels.has(route)) this.byKey.delete(key);
  }

  private of(pair: Pair, route: string): Counts {
    const key = JSON.stringify([route, pair.replaced]);
    let counts = this.byKey.get(key);
    if (!counts) {
      const none = UNDETERMINED.map(why => [why, 0]);
      const undetermined = Object.fromEntries(none) as Counts['undetermined'];
      counts = { route, ...pair, same: 0, differs: 0, undetermined, skipped: 0 };
      this.byKey.set(key, counts);
    }
    return counts;
  }
}

function sideOf({
  result,
  reason,
  pluginId,
  conditions,
}: Readonly<DecisionRecord>): Side {
  const isLarge = conditions !== undefined && isTooLarge(conditions);
  return {
    result,
    reason: cut(reason, MAX_REASON),
    pluginId,
    conditions: isLarge ? undefined : conditions,
    conditionsLeftOut: isLarge ? true : undefined,
  };
}

const sourcesOf = ({ sources }: Readonly<DecisionRecord>) =>
  sources.slice(0, MAX_SOURCES).map(({ source, verdict, reason }) => ({
    source,
    verdict,
    ...(reason === undefined ? {} : { reason: cut(reason, MAX_REASON) }),
  }));
