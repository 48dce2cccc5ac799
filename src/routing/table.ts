import type { Permission } from '@backstage/plugin-permission-common';
import { actionOf, resourceTypeOf, type RoutePattern } from './route';

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

  /** @param routes - as for `add`. */
  constructor(routes: readonly R[] = []) {
    for (const route of routes) this.add(route);
  }

  /** @param route - ties with no other: the config check has refused ties (see `findTies`). */
  add(route: R): void {
    let node = this.root;
    for (const segment of route.segments) node = node.descend(segment);
    node.add(route);
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

/** The routes of one prefix, indexed by their constraints. Most prefixes need few of the maps. */
class Node<R extends RoutePattern> {
  private children: Map<string, Node<R>> | undefined;
  private byBoth: Map<string, Map<string, R>> | undefined;
  private byAction: Map<string, R> | undefined;
  private byResourceType: Map<string, R> | undefined;
  private unconstrained: R | undefined;

  child(segment: string): Node<R> | undefined {
    return this.children?.get(segment);
  }

  descend(segment: string): Node<R> {
    this.children ??= new Map();
    let child = this.children.get(segment);
    if (!child) this.children.set(segment, (child = new Node()));
    return child;
  }

  add(route: R): void {
    const { actions, resourceTypes } = route;
    if (actions && resourceTypes) {
      this.byBoth ??= new Map();
      for (const action of actions) {
        let ofAction = this.byBoth.get(action);
        if (!ofAction) this.byBoth.set(action, (ofAction = new Map<string, R>()));
        for (const resourceType of resourceTypes) ofAction.set(resourceType, route);
      }
    } else if (actions) {
      this.byAction ??= new Map();
      for (const action of actions) this.byAction.set(action, route);
    } else if (resourceTypes) {
      this.byResourceType ??= new Map();
      for (const resourceType of resourceTypes)
        this.byResourceType.set(resourceType, route);
    } else {
      this.unconstrained = route;
    }
  }

  pick(action: string, resourceType: string | undefined): R | undefined {
    if (resourceType !== undefined) {
      const constrained =
        this.byBoth?.get(action)?.get(resourceType) ??
        this.byResourceType?.get(resourceType);
      if (constrained) return constrained;
    }
    return this.byAction?.get(action) ?? this.unconstrained;
  }
}
