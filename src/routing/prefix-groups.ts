import type { Slices } from '../lib/slices';
import type { RoutePattern } from './route';

/** The routes of one prefix. */
export class PrefixGroup {
  /** Indices of its routes, in the order of the table; may be empty. */
  readonly members: number[] = [];
  private longer: Map<string, PrefixGroup> | undefined;

  /** @param shorter - the prefix without its last segment; undefined if it has no segments. */
  constructor(readonly shorter?: PrefixGroup) {}

  /** The prefix with one segment more. */
  with(segment: string): PrefixGroup {
    this.longer ??= new Map();
    let group = this.longer.get(segment);
    if (!group) this.longer.set(segment, (group = new PrefixGroup(this)));
    return group;
  }
}

/**
 * The prefixes that have routes, in the order of the first one of each.
 *
 * @param routes - undefined where a route could not be read.
 */
export async function groupByPrefix(
  routes: ReadonlyArray<RoutePattern | undefined>,
  slices: Slices,
): Promise<PrefixGroup[]> {
  const root = new PrefixGroup();
  const found: PrefixGroup[] = [];
  await slices.each(routes, (route, index) => {
    if (!route) return;
    let group = root;
    for (const segment of route.segments) group = group.with(segment);
    if (group.members.length === 0) found.push(group);
    group.members.push(index);
  });
  return found;
}
