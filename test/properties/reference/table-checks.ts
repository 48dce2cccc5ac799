/** Ties and gaps of a routing table by comparing every route with every other. */
import {
  ACTIONS,
  constraintCount,
  type Action,
  type RoutePattern,
} from '../../../src/routing/route';

type Routes = readonly RoutePattern[];

const samePrefix = (a: RoutePattern, b: RoutePattern): boolean =>
  a.kind === b.kind && text(a) === text(b);

/** What matching names begin with, or are. */
const text = ({ segments, kind }: RoutePattern): string =>
  kind === 'start' ? `${segments.join('/')}/` : segments.join('.');

const matches = (route: RoutePattern, name: string): boolean => {
  const whole = text(route);
  if (route.kind === 'name') return name === whole;
  if (route.kind === 'start') return name.startsWith(whole);
  return whole === '' || name === whole || name.startsWith(`${whole}.`);
};

/** Some of the names that it matches, which everything matches that matches all its names. */
function samplesOf(route: RoutePattern): string[] {
  const whole = text(route);
  if (route.kind === 'name') return [whole];
  if (route.kind === 'start') return [whole, `${whole}~`, `${whole}/`, `${whole}.~`];
  return whole === '' ? ['', '~', '/'] : [whole, `${whole}.`, `${whole}.~`];
}

/** One route of each prefix that matches all names of this one and more, longest first. */
function widerThan(routes: Routes, route: RoutePattern): RoutePattern[] {
  const wider = routes.filter(
    other =>
      !samePrefix(other, route) && samplesOf(route).every(name => matches(other, name)),
  );
  return wider
    .filter(
      (other, index) => wider.findIndex(each => samePrefix(each, other)) === index,
    )
    .sort(
      (a, b) => text(b).length - text(a).length || Number(!!a.kind) - Number(!!b.kind),
    );
}

/** An absent list stands for every value. */
const intersect = (
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): boolean => !a || !b || a.some(value => b.includes(value));

/** Same prefix or name, same number of constraints, and some permission fits both. */
const tie = (a: RoutePattern, b: RoutePattern): boolean =>
  (a.kind === 'name') === (b.kind === 'name') &&
  text(a) === text(b) &&
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
export function coverageGaps(
  routes: Routes,
  isOpen: (route: RoutePattern) => boolean,
  isFallbackOpen: boolean,
): string[] {
  const prefixes = new Map<string, number[]>();
  routes.forEach((route, index) => {
    const key = JSON.stringify([route.kind ?? '', text(route)]);
    prefixes.set(key, [...(prefixes.get(key) ?? []), index]);
  });
  return [...prefixes.values()].flatMap(group => [
    ...group.flatMap(index => unreachable(routes, group, index)),
    ...opened(routes, group, isOpen, isFallbackOpen),
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
    `${index}: can never be reached: ${list(routes, winners)} already ${match} every action of ${shown(route)}`,
  ];
}

/** Whether the other route is more constrained and fits some permission that this one fits. */
function winsOver(other: RoutePattern, route: RoutePattern): boolean {
  if (!other.actions) return false;
  if (!route.resourceTypes) return !other.resourceTypes;
  return route.resourceTypes.some(type => other.resourceTypes?.includes(type));
}

/** What the permissions of a prefix that fit none of its routes can fall to, action by action. */
function opened(
  routes: Routes,
  group: number[],
  isOpen: (route: RoutePattern) => boolean,
  isFallbackOpen: boolean,
): string[] {
  const members = group.map(index => routes[index]!);
  const isOfReading = members.some(({ actions }) => actions?.includes('read') ?? true);
  const byAction = ACTIONS.map(action => {
    const places: string[] = [];
    if (takesAll(members, action) || (action === 'read' && !isOfReading)) {
      return { action, places };
    }
    for (const prefix of widerThan(routes, members[0]!)) {
      const here = routes.filter(each => samePrefix(each, prefix));
      const named = here.some(
        each => !each.resourceTypes && each.actions?.includes(action),
      );
      places.push(
        ...here
          .filter(each => each.actions?.includes(action) ?? true)
          .filter(each => !named || constraintCount(each) > 0)
          .filter(isOpen)
          .map(
            each => `${String(routes.indexOf(each)).padStart(3, '0')} ${label(each)}`,
          ),
      );
      if (takesAll(here, action)) return { action, places };
    }
    // Sorted behind the routes.
    return { action, places: isFallbackOpen ? [...places, '~ the fallback'] : places };
  }).filter(({ places }) => places.length > 0);
  if (byAction.length === 0) return [];
  const places = [...new Set(byAction.flatMap(each => each.places))]
    .sort()
    .map(place => place.slice(place.indexOf(' ') + 1));
  const actions = byAction.map(({ action }) => action).join(', ');
  const last = places.pop()!;
  const where = places.length > 0 ? `${places.join(', ')} or ${last}` : last;
  return [
    `${group[0]}: other permissions of this ${members[0]!.kind === 'name' ? 'name' : 'prefix'} (${actions}) fall to ${where}, which allows what no source denies`,
  ];
}

/** Whether every permission of the action fits one of these routes. */
const takesAll = (routes: Routes, action: Action): boolean =>
  routes.some(
    ({ actions, resourceTypes }) =>
      !resourceTypes && (actions?.includes(action) ?? true),
  );

const coverAllActions = (routes: Routes): boolean =>
  ACTIONS.every(action => routes.some(route => route.actions?.includes(action)));

const shown = (route: RoutePattern): string =>
  route.kind === 'name' ? `name '${visible(text(route))}'` : `'${text(route) || '*'}'`;

/** Without characters that a log should not contain. */
const visible = (name: string): string =>
  name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, character =>
    [...Array(character.length).keys()]
      .map(at => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );

const label = (route: RoutePattern): string =>
  [
    shown(route),
    ...(route.actions ? [`[${route.actions.join(', ')}]`] : []),
    ...(route.resourceTypes ? [route.resourceTypes.join(', ')] : []),
  ].join(' ');

const list = (routes: Routes, indices: number[]): string =>
  indices.map(index => label(routes[index]!)).join(', ');
