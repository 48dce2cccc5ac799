import type { Slices } from '../lib/slices';
import { textOf, type NamePattern } from '../prefix';
import { groupByPrefix } from './prefix-groups';
import type { RoutePattern } from './route';

type Routes = ReadonlyArray<RoutePattern | undefined>;

/**
 * The groups of routes (as indices) that tie. Two routes tie if they have the same prefix or name
 * and the same number of constraints, and some permission fits both: only their order could choose
 * between them. A group is what such pairs connect. Found by index, so that pairs need not be compared.
 *
 * @param routes - undefined where a route could not be read.
 * @returns each group and the list of groups in the order of the table.
 */
export async function findTies(routes: Routes, slices: Slices): Promise<number[][]> {
  const connected = new Connected();
  const { groups } = await groupByPrefix(routes, slices, equallyLong);
  for (const { members } of groups) {
    if (members.length > 1) await connectTies(routes, members, connected, slices);
  }
  return connected.groups(slices);
}

/**
 * Equal for patterns that match some name with the same length. `cost/` and `cost/.*` do: both
 * match `cost/`, so only constraints can choose between them.
 */
const equallyLong = (pattern: NamePattern): NamePattern =>
  pattern.kind === 'start' ? { segments: textOf(pattern).split('.') } : pattern;

async function connectTies(
  routes: Routes,
  members: readonly number[],
  connected: Connected,
  slices: Slices,
): Promise<void> {
  const unconstrained = new FirstRoutes(connected);
  const byAction = new FirstRoutes(connected);
  const byResourceType = new FirstRoutes(connected);
  const byBoth = new Map<string, FirstRoutes>();
  await slices.each(members, index => {
    const { actions, resourceTypes } = routes[index]!;
    if (actions && resourceTypes) {
      for (const type of resourceTypes) {
        let ofType = byBoth.get(type);
        if (!ofType) byBoth.set(type, (ofType = new FirstRoutes(connected)));
        for (const action of actions) ofType.add(action, index);
      }
    } else if (actions) {
      for (const action of actions) byAction.add(action, index);
    } else if (resourceTypes) {
      for (const type of resourceTypes) byResourceType.add(type, index);
    } else {
      unconstrained.add('', index);
    }
  });
  // A route of actions and one of resource types have one constraint each, and never exclude
  // each other.
  const [actions, types] = [byAction.all(), byResourceType.all()];
  if (actions.length === 0 || types.length === 0) return;
  await slices.each([...actions, ...types], index =>
    connected.connect(actions[0]!, index),
  );
}

/** The first route of each value; every later one of it ties with that. */
class FirstRoutes {
  private readonly routes = new Map<string, number>();

  constructor(private readonly connected: Connected) {}

  add(value: string, route: number): void {
    const first = this.routes.get(value);
    if (first === undefined) this.routes.set(value, route);
    else this.connected.connect(first, route);
  }

  all(): number[] {
    return [...this.routes.values()];
  }
}

/** Routes that are connected by ties; each group is named by its first route, the root. */
class Connected {
  /** Of each route that is not a root: an earlier one of its group. */
  private readonly earlier = new Map<number, number>();

  connect(one: number, other: number): void {
    const [a, b] = [this.rootOf(one), this.rootOf(other)];
    if (a !== b) this.earlier.set(Math.max(a, b), Math.min(a, b));
  }

  async groups(slices: Slices): Promise<number[][]> {
    const groups = new Map<number, number[]>();
    const others = [...this.earlier.keys()].sort((a, b) => a - b);
    await slices.each(others, route => {
      const root = this.rootOf(route);
      const group = groups.get(root);
      if (group) group.push(route);
      else groups.set(root, [root, route]);
    });
    return [...groups.values()].sort(([a], [b]) => a! - b!);
  }

  private rootOf(route: number): number {
    const passed: number[] = [];
    let root = route;
    for (;;) {
      const next = this.earlier.get(root);
      if (next === undefined) break;
      passed.push(root);
      root = next;
    }
    // So that the next way is short.
    for (const each of passed) this.earlier.set(each, root);
    return root;
  }
}
