import type { Permission } from '@backstage/plugin-permission-common';
import {
  actionOf,
  constraintCount,
  groupIndices,
  resourceTypeOf,
  type RoutePattern,
} from './route';

/**
 * The routing table: a trie over the dot-separated segments of permission names.
 *
 * The longest matching prefix wins, in whatever order the routes are listed. At equal length the
 * route with more constraints wins. A route whose constraints do not fit is skipped for the next
 * longest prefix. The cost of a match depends on the number of segments, not on the number of
 * routes: every lookup is by key, in maps rather than objects because names are arbitrary input
 * (`__proto__`).
 */
export class RoutingTable<R extends RoutePattern> {
  private readonly root = new Node<R>();

  /** @param routes - without ties: the config check has refused them (see `findTies`). */
  constructor(routes: readonly R[]) {
    for (const route of routes) {
      let node = this.root;
      for (const segment of route.segments) node = node.descend(segment);
      node.add(route);
    }
  }

  match(permission: Permission): R | undefined {
    const action = actionOf(permission);
    const resourceType = resourceTypeOf(permission);
    let best: R | undefined;
    let node: Node<R> | undefined = this.root;
    let rest: string | undefined = permission.name;
    while (node) {
      best = node.pick(action, resourceType) ?? best;
      if (rest === undefined) break;
      const dot: number = rest.indexOf('.');
      const segment = dot === -1 ? rest : rest.slice(0, dot);
      rest = dot === -1 ? undefined : rest.slice(dot + 1);
      node = node.child(segment);
    }
    return best;
  }
}

/** The routes of one prefix, indexed by their constraints. */
class Node<R extends RoutePattern> {
  private readonly children = new Map<string, Node<R>>();
  private readonly byBoth = new Map<string, Map<string, R>>();
  private readonly byAction = new Map<string, R>();
  private readonly byResourceType = new Map<string, R>();
  private unconstrained: R | undefined;

  child(segment: string): Node<R> | undefined {
    return this.children.get(segment);
  }

  descend(segment: string): Node<R> {
    let child = this.children.get(segment);
    if (!child) this.children.set(segment, (child = new Node()));
    return child;
  }

  add(route: R): void {
    const { actions, resourceTypes } = route;
    if (actions && resourceTypes) {
      for (const action of actions) {
        let ofAction = this.byBoth.get(action);
        if (!ofAction) this.byBoth.set(action, (ofAction = new Map<string, R>()));
        for (const resourceType of resourceTypes) ofAction.set(resourceType, route);
      }
    } else if (actions) {
      for (const action of actions) this.byAction.set(action, route);
    } else if (resourceTypes) {
      for (const resourceType of resourceTypes)
        this.byResourceType.set(resourceType, route);
    } else {
      this.unconstrained = route;
    }
  }

  pick(action: string, resourceType: string | undefined): R | undefined {
    if (resourceType !== undefined) {
      const constrained =
        this.byBoth.get(action)?.get(resourceType) ??
        this.byResourceType.get(resourceType);
      if (constrained) return constrained;
    }
    return this.byAction.get(action) ?? this.unconstrained;
  }
}

/**
 * The pairs of routes (as indices) that tie: same prefix, same number of constraints, and
 * some permission fits both. Only their order could choose between them.
 */
export function findTies(routes: readonly RoutePattern[]): Array<[number, number]> {
  const groups = groupIndices(routes, route => [
    route.segments,
    constraintCount(route),
  ]);
  return groups.flatMap(group =>
    group.flatMap((first, position) =>
      group
        .slice(position + 1)
        .filter(second => overlap(routes[first]!, routes[second]!))
        .map((second): [number, number] => [first, second]),
    ),
  );
}

function overlap(a: RoutePattern, b: RoutePattern): boolean {
  return (
    intersect<string>(a.actions, b.actions) &&
    intersect(a.resourceTypes, b.resourceTypes)
  );
}

/** An absent list stands for every value. */
function intersect<T>(
  a: readonly T[] | undefined,
  b: readonly T[] | undefined,
): boolean {
  return !a || !b || a.some(value => b.includes(value));
}
