/**
 * Routing by prefixes of segments, prefixes that end in `/` and exact names, by comparing each
 * name with every route as it is written.
 */
import type { Permission } from '@backstage/plugin-permission-common';

/** A route as in the config: it has either a prefix or a name. */
export interface WrittenRoute {
  readonly prefix?: string;
  readonly name?: string;
  readonly actions?: readonly string[] | undefined;
  readonly resourceTypes?: readonly string[] | undefined;
}

/** What a matching name begins with, or is. */
export function writtenText({ prefix, name }: WrittenRoute): string {
  if (name !== undefined) return name;
  if (prefix === '*') return '';
  return prefix!.replace(/\.\*?$/, '');
}

export const endsInSlash = ({ prefix }: WrittenRoute): boolean =>
  prefix?.endsWith('/') ?? false;

export function matches(route: WrittenRoute, asked: string): boolean {
  const text = writtenText(route);
  if (route.name !== undefined) return asked === text;
  if (endsInSlash(route)) return asked.startsWith(text);
  return text === '' || asked === text || asked.startsWith(`${text}.`);
}

function fits(route: WrittenRoute, permission: Permission): boolean {
  const { actions, resourceTypes } = route;
  return (
    matches(route, permission.name) &&
    (!actions || actions.includes(permission.attributes.action ?? 'none')) &&
    (!resourceTypes ||
      (permission.type === 'resource' &&
        resourceTypes.includes(permission.resourceType)))
  );
}

const constraints = ({ actions, resourceTypes }: WrittenRoute): number =>
  [actions, resourceTypes].filter(each => each !== undefined).length;

/** An exact name is preferred to every prefix. */
const lengthOf = (route: WrittenRoute): number =>
  route.name === undefined ? writtenText(route).length : Infinity;

/** The fitting routes of the longest text and, of those, of the most constraints. */
export function bestOfAllKinds<R extends WrittenRoute>(
  routes: readonly R[],
  permission: Permission,
): R[] {
  const fitting = routes.filter(route => fits(route, permission));
  const longest = Math.max(...fitting.map(lengthOf));
  const ofLongest = fitting.filter(route => lengthOf(route) === longest);
  const most = Math.max(...ofLongest.map(constraints));
  return ofLongest.filter(route => constraints(route) === most);
}
