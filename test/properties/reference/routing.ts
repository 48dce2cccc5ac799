/** Routing by comparing names with every route, each time. */
import type { Permission } from '@backstage/plugin-permission-common';

/** A route as in the config, with its prefix without a trailing `.` or `.*`. */
export interface WrittenRoute {
  readonly prefix: string;
  readonly actions?: readonly string[] | undefined;
  readonly resourceTypes?: readonly string[] | undefined;
}

export function fits(route: WrittenRoute, permission: Permission): boolean {
  const { prefix, actions, resourceTypes } = route;
  const { name, attributes } = permission;
  return (
    (prefix === '' || name === prefix || name.startsWith(`${prefix}.`)) &&
    (!actions || actions.includes(attributes.action ?? 'none')) &&
    (!resourceTypes ||
      (permission.type === 'resource' &&
        resourceTypes.includes(permission.resourceType)))
  );
}

const constraints = ({ actions, resourceTypes }: WrittenRoute): number =>
  [actions, resourceTypes].filter(each => each !== undefined).length;

/** The fitting routes with the longest prefix and, of those, the most constraints. */
export function bestRoutes<R extends WrittenRoute>(
  routes: readonly R[],
  permission: Permission,
): R[] {
  const fitting = routes.filter(route => fits(route, permission));
  const longest = Math.max(...fitting.map(({ prefix }) => prefix.length));
  const ofLongest = fitting.filter(({ prefix }) => prefix.length === longest);
  const most = Math.max(...ofLongest.map(constraints));
  return ofLongest.filter(route => constraints(route) === most);
}
