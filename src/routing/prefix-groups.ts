import type { Slices } from '../lib/slices';
import { NameIndex } from './name-index';
import type { NamePattern } from '../prefix';
import type { RoutePattern } from './route';

/** The routes of one prefix, or of one exact name. */
export interface PrefixGroup {
  /** Indices of its routes, in the order of the table. */
  readonly members: number[];
}

/** The routes of a table by prefix. */
export interface PrefixGroups {
  /** In the order of the first route of each. */
  readonly groups: readonly PrefixGroup[];
  /** Those whose prefix matches every name that this one matches, and more; longest prefix first. */
  readonly wider: (group: PrefixGroup) => readonly PrefixGroup[];
}

/**
 * Groups the routes of a table by prefix.
 *
 * @param routes - undefined where a route could not be read.
 * @param patternOf - what makes routes members of one group.
 */
export async function groupByPrefix(
  routes: ReadonlyArray<RoutePattern | undefined>,
  slices: Slices,
  patternOf: (route: RoutePattern) => NamePattern = route => route,
): Promise<PrefixGroups> {
  const index = new NameIndex<PrefixGroup>(() => ({ members: [] }));
  const groups: PrefixGroup[] = [];
  await slices.each(routes, (route, position) => {
    if (!route) return;
    const group = index.at(patternOf(route));
    if (group.members.length === 0) groups.push(group);
    group.members.push(position);
  });
  const wider = ({ members }: PrefixGroup): readonly PrefixGroup[] =>
    index.wider(patternOf(routes[members[0]!]!));
  return { groups, wider };
}
