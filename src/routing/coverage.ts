import { formatPrefix } from './prefix';
import { ACTIONS, constraintCount, groupIndices, type RoutePattern } from './route';

/** What a reader of the table may not expect: where permissions fall that a route leaves out. */
export interface CoverageFinding {
  /** Index of the route the finding is about. */
  readonly route: number;
  readonly message: string;
}

/**
 * Routes that no permission can reach, and constrained prefixes without a route for the
 * permissions their constraints leave out.
 *
 * @param describeFallback - what a permission gets that no route matches, e.g. `the fallback (deny)`.
 */
export function findCoverageGaps(
  routes: readonly RoutePattern[],
  describeFallback: string,
): CoverageFinding[] {
  return groupIndices(routes, route => route.segments).flatMap(group => [
    ...shadowedRoutes(routes, group),
    ...openConstraints(routes, group, describeFallback),
  ]);
}

/** A route is unreachable when more constrained routes of its prefix take every action from it. */
function shadowedRoutes(
  routes: readonly RoutePattern[],
  group: readonly number[],
): CoverageFinding[] {
  return group.flatMap(index => {
    const route = routes[index]!;
    if (route.actions) return [];
    const takers = group.filter(other => takesFrom(routes[other]!, route));
    const isTaken = (resourceType?: string): boolean =>
      coverAllActions(
        takers
          .map(other => routes[other]!)
          .filter(
            ({ resourceTypes }) =>
              resourceType === undefined || resourceTypes?.includes(resourceType),
          ),
      );
    if (!(route.resourceTypes?.every(isTaken) ?? isTaken())) return [];
    const message = `can never be reached: ${list(takers)} take every action of '${formatPrefix(route.segments)}'`;
    return [{ route: index, message }];
  });
}

/** Whether the other route is more constrained and fits some of what this one fits. */
function takesFrom(other: RoutePattern, route: RoutePattern): boolean {
  if (!other.actions) return false;
  const { resourceTypes } = other;
  if (!route.resourceTypes) return !resourceTypes;
  return route.resourceTypes.some(type => resourceTypes?.includes(type));
}

function openConstraints(
  routes: readonly RoutePattern[],
  group: readonly number[],
  describeFallback: string,
): CoverageFinding[] {
  const members = group.map(index => routes[index]!);
  const unconstrained = members.some(isUnconstrained);
  const byAction = members.filter(route => !route.resourceTypes);
  if (unconstrained || coverAllActions(byAction)) return [];
  const first = group[0]!;
  const { segments } = routes[first]!;
  const heirs = heirsOf(routes, segments);
  const where =
    heirs.length === 0
      ? describeFallback
      : `${list(heirs)}${orElse(routes, heirs, describeFallback)}`;
  const message = `prefix '${formatPrefix(segments)}' has no route without constraints: its other permissions fall to ${where}`;
  return [{ route: first, message }];
}

const orElse = (
  routes: readonly RoutePattern[],
  heirs: readonly number[],
  describeFallback: string,
): string =>
  heirs.some(index => isUnconstrained(routes[index]!)) ||
  coverAllActions(
    heirs.map(index => routes[index]!).filter(heir => !heir.resourceTypes),
  )
    ? ''
    : ` where they fit, else to ${describeFallback}`;

/** The routes of the shorter prefixes, longest first, up to the first without constraints. */
function heirsOf(
  routes: readonly RoutePattern[],
  segments: readonly string[],
): number[] {
  const heirs: number[] = [];
  for (let length = segments.length - 1; length >= 0; length--) {
    const key = JSON.stringify(segments.slice(0, length));
    const here = routes.flatMap((route, index) =>
      JSON.stringify(route.segments) === key ? [index] : [],
    );
    heirs.push(...here);
    if (here.some(index => isUnconstrained(routes[index]!))) break;
  }
  return heirs;
}

const isUnconstrained = (route: RoutePattern): boolean => constraintCount(route) === 0;

const coverAllActions = (routes: readonly RoutePattern[]): boolean =>
  ACTIONS.every(action => routes.some(route => route.actions?.includes(action)));

const list = (indices: readonly number[]): string =>
  indices.map(index => `routes[${index}]`).join(', ');
