/** Ties and gaps of a routing table by comparing every route with every other. */
import {
  ACTIONS,
  constraintCount,
  type RoutePattern,
} from '../../../src/routing/route';

type Routes = readonly RoutePattern[];

const samePrefix = (a: RoutePattern, b: RoutePattern): boolean =>
  JSON.stringify(a.segments) === JSON.stringify(b.segments);

/** An absent list stands for every value. */
const intersect = (
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): boolean => !a || !b || a.some(value => b.includes(value));

/** Same prefix, same number of constraints, and some permission fits both. */
const tie = (a: RoutePattern, b: RoutePattern): boolean =>
  samePrefix(a, b) &&
  constraintCount(a) === constraintCount(b) &&
  intersect(a.actions, b.actions) &&
  intersect(a.resourceTypes, b.resourceTypes);

/** The groups that pairs of tied routes connect, in the order of the table. */
export function tiedGroups(routes: Routes): number[][] {
  const groups: number[][] = [];
  const seen = new Set<number>();
  for (const start of routes.keys()) {
    if (seen.has(start)) continue;
    const group = [start];
    for (const member of group) {
      for (const other of routes.keys()) {
        if (other === member || group.includes(other)) continue;
        if (tie(routes[member]!, routes[other]!)) group.push(other);
      }
    }
    for (const member of group) seen.add(member);
    if (group.length > 1) groups.push(group.sort((a, b) => a - b));
  }
  return groups;
}

/** Each as `index: message`; lists of routes are complete. */
export function coverageGaps(routes: Routes, fallback: string): string[] {
  const prefixes = new Map<string, number[]>();
  routes.forEach((route, index) => {
    const key = JSON.stringify(route.segments);
    prefixes.set(key, [...(prefixes.get(key) ?? []), index]);
  });
  return [...prefixes.values()].flatMap(group => [
    ...group.flatMap(index => unreachable(routes, group, index)),
    ...constrained(routes, group, fallback),
  ]);
}

/** Unreachable if more constrained routes of the prefix match every action. */
function unreachable(routes: Routes, group: number[], index: number): string[] {
  const route = routes[index]!;
  if (route.actions) return [];
  const winners = group.filter(other => winsOver(routes[other]!, route));
  const isCovered = (type?: string): boolean =>
    coverAllActions(
      winners
        .map(other => routes[other]!)
        .filter(other => type === undefined || other.resourceTypes?.includes(type)),
    );
  if (!(route.resourceTypes?.every(isCovered) ?? isCovered())) return [];
  const match = winners.length === 1 ? 'matches' : 'match';
  return [
    `${index}: can never be reached: ${list(winners)} already ${match} every action of '${shown(route)}'`,
  ];
}

/** Whether the other route is more constrained and fits some permission that this one fits. */
function winsOver(other: RoutePattern, route: RoutePattern): boolean {
  if (!other.actions) return false;
  if (!route.resourceTypes) return !other.resourceTypes;
  return route.resourceTypes.some(type => other.resourceTypes?.includes(type));
}

function constrained(routes: Routes, group: number[], fallback: string): string[] {
  const members = group.map(index => routes[index]!);
  if (isComplete(members)) return [];
  const first = group[0]!;
  const { segments } = routes[first]!;
  const next: number[] = [];
  for (let length = segments.length - 1; length >= 0; length--) {
    const prefix = { segments: segments.slice(0, length) };
    const here = [...routes.keys()].filter(index => samePrefix(routes[index]!, prefix));
    next.push(...here);
    if (here.some(index => constraintCount(routes[index]!) === 0)) break;
  }
  const rest = isComplete(next.map(index => routes[index]!))
    ? ''
    : ` where they fit, else to ${fallback}`;
  const where = next.length === 0 ? fallback : `${list(next)}${rest}`;
  return [
    `${first}: prefix '${shown(routes[first]!)}' has no route without constraints: its other permissions fall to ${where}`,
  ];
}

const isComplete = (routes: Routes): boolean =>
  routes.some(route => constraintCount(route) === 0) ||
  coverAllActions(routes.filter(route => !route.resourceTypes));

const coverAllActions = (routes: Routes): boolean =>
  ACTIONS.every(action => routes.some(route => route.actions?.includes(action)));

const shown = ({ segments }: RoutePattern): string => segments.join('.') || '*';

const list = (indices: number[]): string =>
  indices.map(index => `routes[${index}]`).join(', ');
