import { someOf } from '../lib/bounded';
import type { Slices } from '../lib/slices';
import { patternLabel, routeLabel } from './label';
import { groupByPrefix, type PrefixGroup } from './prefix-groups';
import { ACTIONS, constraintCount, type Action, type RoutePattern } from './route';

/** Something in the table that its author may not expect. */
export interface CoverageFinding {
  readonly code: 'UNREACHABLE_ROUTE' | 'REST_IS_OPEN';
  /** Index of the route the finding is about. */
  readonly route: number;
  readonly message: string;
  /** Equal for findings that say the same of different routes. */
  readonly sameAs: string;
}

type Routes = readonly RoutePattern[];

/** What allows permissions although no source of theirs says so. */
export interface Openness {
  /** Whether the route of this index allows what none of its sources denies. */
  readonly isOpen: (route: number) => boolean;
  /** Whether the fallback is `allow`. */
  readonly isFallbackOpen: boolean;
}

/**
 * Finds routes that no permission can reach, and prefixes whose routes all have constraints, so
 * that some of their permissions are decided elsewhere, where they are open. What is decided
 * elsewhere and is not open there needs no warning. Nor does reading that is open where no route of
 * the prefix is about reading: then it was opened by name.
 *
 * @param found - called with each finding, prefix by prefix.
 */
export async function findCoverageGaps(
  routes: Routes,
  openness: Openness,
  found: (finding: CoverageFinding) => void,
  slices: Slices,
): Promise<void> {
  const { groups, wider } = await groupByPrefix(routes, slices);
  const coverage = new Map<PrefixGroup, Coverage>();
  await slices.each(groups, async group => {
    coverage.set(group, await coverageOf(routes, group, openness, slices));
  });
  await slices.each(groups, async group => {
    const own = coverage.get(group)!;
    await findUnreachable(routes, group, own, found, slices);
    if (own.isComplete) return;
    const others = wider(group).map(each => coverage.get(each)!);
    const opened = whatIsOpened(routes, own, others, openness);
    if (opened === undefined) return;
    const route = group.members[0]!;
    const what = routes[route]!.kind === 'name' ? 'name' : 'prefix';
    const message = `other permissions of this ${what} ${opened}`;
    found({ code: 'REST_IS_OPEN', route, message, sameAs: message });
  });
}

/** What the routes of one prefix match, whatever the resource type. */
interface Coverage {
  /** Whether a route of it has no constraints. */
  readonly isComplete: boolean;
  /** Those that its routes match whatever the resource type. */
  readonly actions: ReadonlySet<Action>;
  /** The routes of these actions. */
  readonly byAction: readonly number[];
  /** Whether one of its routes is about reading. */
  readonly isOfReading: boolean;
  /** The first open routes that permissions with an action can reach. */
  readonly open: ReadonlyMap<Action, readonly number[]>;
}

async function coverageOf(
  routes: Routes,
  { members }: PrefixGroup,
  { isOpen }: Openness,
  slices: Slices,
): Promise<Coverage> {
  const actions = new Set<Action>();
  const byAction: number[] = [];
  let isComplete = false;
  let isOfReading = false;
  await slices.each(members, index => {
    const route = routes[index]!;
    if (constraintCount(route) === 0) isComplete = true;
    if (route.actions?.includes('read') ?? true) isOfReading = true;
    if (route.resourceTypes || !route.actions) return;
    byAction.push(index);
    for (const action of route.actions) actions.add(action);
  });
  const open = new Map<Action, number[]>();
  await slices.each(members, index => {
    if (!isOpen(index)) return;
    const route = routes[index]!;
    const own = route.actions ?? ACTIONS;
    // A route of an action is preferred to one without constraints.
    const reached =
      constraintCount(route) === 0 ? own.filter(each => !actions.has(each)) : own;
    for (const action of reached) {
      const first = open.get(action);
      if (!first) open.set(action, [index]);
      else if (first.length <= MAX_LISTED) first.push(index);
    }
  });
  return { isComplete, actions, byAction, isOfReading, open };
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
    const message = `can never be reached: ${list(routes, winners)} already ${match} every action of ${patternLabel(route)}`;
    found({
      code: 'UNREACHABLE_ROUTE',
      route: index,
      message,
      sameAs: 'unreachable',
    });
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

/**
 * Where permissions of the prefix are open that none of its routes fits; undefined if nowhere.
 *
 * @param wider - what the wider prefixes match, longest first.
 */
function whatIsOpened(
  routes: Routes,
  own: Coverage,
  wider: readonly Coverage[],
  { isFallbackOpen }: Openness,
): string | undefined {
  const opened: Action[] = [];
  const openRoutes = new Set<number>();
  let isToFallback = false;
  for (const action of ACTIONS) {
    if (own.actions.has(action) || (action === 'read' && !own.isOfReading)) continue;
    const first: number[] = [];
    let isDecided = false;
    for (const here of wider) {
      if (isDecided) break;
      if (first.length <= MAX_LISTED) first.push(...(here.open.get(action) ?? []));
      isDecided = here.isComplete || here.actions.has(action);
    }
    const falls = !isDecided && isFallbackOpen;
    if (first.length === 0 && !falls) continue;
    opened.push(action);
    for (const index of first) openRoutes.add(index);
    if (falls) isToFallback = true;
  }
  if (opened.length === 0) return undefined;
  const sorted = [...openRoutes].sort((a, b) => a - b);
  const places = [
    ...sorted.slice(0, MAX_LISTED).map(index => routeLabel(routes[index]!)),
    ...(sorted.length > MAX_LISTED ? ['other routes'] : []),
    ...(isToFallback ? ['the fallback'] : []),
  ];
  const [last] = places.splice(-1);
  const where = places.length > 0 ? `${places.join(', ')} or ${last}` : last;
  return `(${opened.join(', ')}) fall to ${where}, which allows what no source denies`;
}

const isEveryAction = (actions: ReadonlySet<Action>): boolean =>
  actions.size === ACTIONS.length;

const MAX_LISTED = 5;

const list = (routes: Routes, indices: readonly number[]): string =>
  someOf(
    indices.slice(0, MAX_LISTED).map(index => routeLabel(routes[index]!)),
    indices.length,
    MAX_LISTED,
  );
