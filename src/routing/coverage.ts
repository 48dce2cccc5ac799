import { formatPrefix } from './prefix';
import { ACTIONS, constraintCount, groupIndices, type RoutePattern } from './route';

/** Something in the table that its author may not expect. */
export interface CoverageFinding {
  /** Index of the route the finding is about. */
  readonly route: number;
  readonly message: string;
}

/**
 * Finds routes that no permission can reach, and prefixes whose routes all have constraints, so
 * that some of their permissions are decided elsewhere.
 *
 * @param describeFallback - what decides a permission that no route matches, for messages:
 * `the fallback (deny)`.
 */
export function findCoverageGaps(
  routes: readonly RoutePattern[],
  describeFallback: string,
): CoverageFinding[] {
  return groupIndices(routes, route => route.segments).flatMap(group => [
    ...unreachableRoutes(routes, group),
    ...constrainedPrefix(routes, group, describeFallback),
  ]);
}

/** A route is unreachable if more constrained routes of its prefix match every action. */
function unreachableRoutes(
  routes: readonly RoutePattern[],
  group: readonly number[],
): CoverageFinding[] {
  return group.flatMap(index => {
    const route = routes[index]!;
    if (route.actions) return [];
    const winners = group.filter(other => winsOver(routes[other]!, route));
    const isCovered = (resourceType?: string): boolean =>
      coverAllActions(
        winners
          .map(other => routes[other]!)
          .filter(
            ({ resourceTypes }) =>
              resourceType === undefined || resourceTypes?.includes(resourceType),
          ),
      );
    if (!(route.resourceTypes?.every(isCovered) ?? isCovered())) return [];
    const match = winners.length === 1 ? 'matches' : 'match';
    const message = `can never be reached: ${list(winners)} already ${match} every action of '${formatPrefix(route.segments)}'`;
    return [{ route: index, message }];
  });
}

/** Whether the other route is more constrained and fits some of the permissions this one fits. */
function winsOver(other: RoutePattern, route: RoutePattern): boolean {
  if (!other.actions) return false;
  const { resourceTypes } = other;
  if (!route.resourceTypes) return !resourceTypes;
  return route.resourceTypes.some(type => resourceTypes?.includes(type));
}

/** Where the permissions go that fit none of the prefix's routes, if there are any. */
function constrainedPrefix(
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
  const next = nextRoutes(routes, segments);
  const where =
    next.length === 0
      ? describeFallback
      : `${list(next)}${orFallback(routes, next, describeFallback)}`;
  const message = `prefix '${formatPrefix(segments)}' has no route without constraints: its other permissions fall to ${where}`;
  return [{ route: first, message }];
}

const orFallback = (
  routes: readonly RoutePattern[],
  next: readonly number[],
  describeFallback: string,
): string =>
  next.some(index => isUnconstrained(routes[index]!)) ||
  coverAllActions(
    next.map(index => routes[index]!).filter(route => !route.resourceTypes),
  )
    ? ''
    : ` where they fit, else to ${describeFallback}`;

/** The routes of the shorter prefixes, longest first, up to the first without constraints. */
function nextRoutes(
  routes: readonly RoutePattern[],
  segments: readonly string[],
): number[] {
  const next: number[] = [];
  for (let length = segments.length - 1; length >= 0; length--) {
    const key = JSON.stringify(segments.slice(0, length));
    const here = routes.flatMap((route, index) =>
      JSON.stringify(route.segments) === key ? [index] : [],
    );
    next.push(...here);
    if (here.some(index => isUnconstrained(routes[index]!))) break;
  }
  return next;
}

const isUnconstrained = (route: RoutePattern): boolean => constraintCount(route) === 0;

const coverAllActions = (routes: readonly RoutePattern[]): boolean =>
  ACTIONS.every(action => routes.some(route => route.actions?.includes(action)));

const list = (indices: readonly number[]): string =>
  indices.map(index => `routes[${index}]`).join(', ');
