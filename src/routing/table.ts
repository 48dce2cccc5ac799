import type { Permission } from '@backstage/plugin-permission-common';
import { routeLabel } from './label';
import { NameIndex } from './name-index';
import { actionOf, constraintCount, resourceTypeOf, type RoutePattern } from './route';

const MAX_NEAREST = 3;

/**
 * The routing table.
 *
 * A route of exactly this name wins; else that of the longest matching prefix, in characters, in
 * whatever order the routes are listed. At equal length the route with more constraints wins. A
 * route whose constraints do not fit is skipped for the next longest prefix. The cost of a match
 * depends on the number of segments, not on the number of routes (see `NameIndex`).
 */
export class RoutingTable<R extends RoutePattern> {
  private readonly index = new NameIndex(() => new RoutesOfPattern<R>());

  /** @param routes - as for `add`. */
  constructor(routes: readonly R[] = []) {
    for (const route of routes) this.add(route);
  }

  /** @param route - ties with no other: the config check has refused ties (see `findTies`). */
  add(route: R): void {
    this.index.at(route).add(route);
  }

  /**
   * The labels of routes that nearly match a permission that none matches: those of its prefixes
   * whose constraints do not fit, else those that begin with most of the same segments.
   */
  nearest({ name }: Permission): string[] {
    const skipped = this.index.matching(name).map(({ value }) => value);
    const near = skipped.length > 0 ? skipped : this.index.near(name, MAX_NEAREST);
    return near
      .flatMap(({ examples }) => examples)
      .slice(0, MAX_NEAREST)
      .map(routeLabel);
  }

  match(permission: Permission): R | undefined {
    const action = actionOf(permission);
    const resourceType = resourceTypeOf(permission);
    let best: R | undefined;
    let longest = 0;
    for (const { value, length } of this.index.matching(permission.name)) {
      if (best && length < longest) break;
      const route = value.pick(action, resourceType);
      if (!route) continue;
      if (!best || constraintCount(route) > constraintCount(best)) best = route;
      longest = length;
    }
    return best;
  }
}

/** The routes of one pattern, indexed by their constraints. Most patterns need few of the maps. */
class RoutesOfPattern<R extends RoutePattern> {
  private byBoth: Map<string, Map<string, R>> | undefined;
  private byAction: Map<string, R> | undefined;
  private byResourceType: Map<string, R> | undefined;
  private unconstrained: R | undefined;
  /** A few of them, to name. */
  readonly examples: R[] = [];

  add(route: R): void {
    const { actions, resourceTypes } = route;
    if (this.examples.length < MAX_NEAREST) this.examples.push(route);
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
