import { cut, someOf } from '../lib/bounded';
import type { Slices } from '../lib/slices';
import { formatPrefix } from './prefix';
import { groupByPrefix, type PrefixGroup } from './prefix-groups';
import { ACTIONS, constraintCount, type Action, type RoutePattern } from './route';

/** Something in the table that its author may not expect. */
export interface CoverageFinding {
  /** Index of the route the finding is about. */
  readonly route: number;
  readonly message: string;
  /** Equal for findings that say the same of different routes. */
  readonly sameAs: string;
}

type Routes = readonly RoutePattern[];

/**
 * Finds routes that no permission can reach, and prefixes whose routes all have constraints, so
 * that some of their permissions are decided elsewhere.
 *
 * @param describeFallback - what decides a permission that no route matches, for messages:
 * `the fallback (deny)`.
 * @param found - called with each finding, prefix by prefix.
 */
export async function findCoverageGaps(
  routes: Routes,
  describeFallback: string,
  found: (finding: CoverageFinding) => void,
  slices: Slices,
): Promise<void> {
  const groups = await groupByPrefix(routes, slices);
  const coverage = new Map<PrefixGroup, Coverage>();
  await slices.each(groups, async group => {
    coverage.set(group, await coverageOf(routes, group, slices));
  });
  await slices.each(groups, async group => {
    await findUnreachable(routes, group, coverage.get(group)!, found, slices);
    const where = whereOthersFall(group, coverage, describeFallback);
    if (where === undefined) return;
    const route = group.members[0]!;
    const prefix = shownPrefix(routes[route]!);
    const message = `prefix '${prefix}' has no route without constraints: its other permissions fall to ${where}`;
    found({ route, message, sameAs: `constrained, else ${where}` });
  });
}

/** What the routes of one prefix match, whatever the resource type. */
interface Coverage {
  /** Whether a route of it has no constraints. */
  readonly isComplete: boolean;
  readonly actions: ReadonlySet<Action>;
  /** The routes of these actions. */
  readonly byAction: readonly number[];
}

async function coverageOf(
  routes: Routes,
  { members }: PrefixGroup,
  slices: Slices,
): Promise<Coverage> {
  const actions = new Set<Action>();
  const byAction: number[] = [];
  let isComplete = false;
  await slices.each(members, index => {
    const route = routes[index]!;
    if (constraintCount(route) === 0) isComplete = true;
    if (route.resourceTypes || !route.actions) return;
    byAction.push(index);
    for (const action of route.actions) actions.add(action);
  });
  return { isComplete, actions, byAction };
}

/** A route is unreachable if more constrained routes of its prefix match every action. */
async function findUnreachable(
  routes: Routes,
  { members }: PrefixGroup,
  { actions, byAction }: Coverage,
  found: (finding: CoverageFinding) => void,
  slices: Slices,
): Promise<void> {
  if (members.length === 1) return;
  const byType = await byResourceType(routes, members, slices);
  await slices.each(members, index => {
    const route = routes[index]!;
    if (route.actions) return;
    const winners = route.resourceTypes
      ? winnersOfTypes(route.resourceTypes, byType)
      : isEveryAction(actions) && byAction;
    if (!winners) return;
    const match = winners.length === 1 ? 'matches' : 'match';
    const message = `can never be reached: ${list(winners)} already ${match} every action of '${shownPrefix(route)}'`;
    found({ route: index, message, sameAs: 'unreachable' });
  });
}

/** The routes with actions of one resource type, and which actions these are. */
interface ConstrainedType {
  readonly routes: number[];
  readonly actions: Set<Action>;
}

async function byResourceType(
  routes: Routes,
  members: readonly number[],
  slices: Slices,
): Promise<ReadonlyMap<string, ConstrainedType>> {
  const byType = new Map<string, ConstrainedType>();
  await slices.each(members, index => {
    const { actions, resourceTypes } = routes[index]!;
    if (!actions || !resourceTypes) return;
    for (const type of resourceTypes) {
      let ofType = byType.get(type);
      if (!ofType) byType.set(type, (ofType = { routes: [], actions: new Set() }));
      ofType.routes.push(index);
      for (const action of actions) ofType.actions.add(action);
    }
  });
  return byType;
}

/** The routes that match every action of all these types; undefined if an action is left. */
function winnersOfTypes(
  resourceTypes: readonly string[],
  byType: ReadonlyMap<string, ConstrainedType>,
): readonly number[] | undefined {
  const winners = new Set<number>();
  for (const type of resourceTypes) {
    const ofType = byType.get(type);
    if (!ofType || !isEveryAction(ofType.actions)) return undefined;
    for (const index of ofType.routes) winners.add(index);
  }
  return [...winners].sort((a, b) => a - b);
}

/** What decides the permissions that fit no route of the prefix; undefined if all fit. */
function whereOthersFall(
  group: PrefixGroup,
  coverage: ReadonlyMap<PrefixGroup, Coverage>,
  describeFallback: string,
): string | undefined {
  const own = coverage.get(group)!;
  if (own.isComplete || isEveryAction(own.actions)) return undefined;
  const first: number[] = [];
  const actions = new Set<Action>();
  let count = 0;
  let isComplete = false;
  for (let next = group.shorter; next && !isComplete; next = next.shorter) {
    const here = coverage.get(next);
    if (!here) continue;
    if (first.length < MAX_LISTED) first.push(...next.members.slice(0, MAX_LISTED));
    count += next.members.length;
    for (const action of here.actions) actions.add(action);
    isComplete = here.isComplete;
  }
  if (count === 0) return describeFallback;
  const rest =
    isComplete || isEveryAction(actions)
      ? ''
      : ` where they fit, else to ${describeFallback}`;
  return `${list(first, count)}${rest}`;
}

const isEveryAction = (actions: ReadonlySet<Action>): boolean =>
  actions.size === ACTIONS.length;

const shownPrefix = ({ segments }: RoutePattern): string => cut(formatPrefix(segments));

const MAX_LISTED = 10;

/** @param indices - the first of them at least. */
const list = (indices: readonly number[], count = indices.length): string =>
  someOf(
    indices.slice(0, MAX_LISTED).map(index => `routes[${index}]`),
    count,
    MAX_LISTED,
  );
