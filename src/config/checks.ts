/** Checks between parts of a config that are each valid alone. */
import { isJsonObject } from '../lib/json-object';
import { findCoverageGaps } from '../routing/coverage';
import { formatPrefix } from '../routing/prefix';
import { findTies } from '../routing/table';
import type { SourceConfig } from '../sources/kind';
import { isBuiltIn, kindOf } from '../sources/kinds';
import { longestWait, standbyChain, standbyProblem } from './standby';
import type { Route, RouterConfig } from './types';

export interface Finding {
  readonly path: ReadonlyArray<string | number>;
  readonly message: string;
}

type Sources = ReadonlyMap<string, SourceConfig>;

/** Each route at its index; undefined where it could not be read. */
type Routes = ReadonlyArray<Route | undefined>;

/** Takes raw routes: an unknown source is reported even if its route has another mistake. */
export const unknownSources = (
  rawRoutes: readonly unknown[],
  names: readonly string[],
): Finding[] =>
  rawRoutes.flatMap((route, index) => {
    const sources: unknown[] =
      isJsonObject(route) && Array.isArray(route.sources) ? route.sources : [];
    return sources.flatMap((name, position) => {
      if (typeof name !== 'string' || name === '' || names.includes(name)) return [];
      const allowed = names.map(each => `'${each}'`).join(', ');
      const message = `unknown source '${name}'; allowed: ${allowed}`;
      return [{ path: ['routes', index, 'sources', position], message }];
    });
  });

/** Takes raw sources: a bad standby is reported even if its source has another mistake. */
export const badStandbys = (
  rawSources: Readonly<Record<string, unknown>>,
  sources: Sources,
  names: readonly string[],
): Finding[] =>
  Object.entries(rawSources).flatMap(([name, source]) => {
    if (!isJsonObject(source) || !kindOf(source.type)?.isRemote) return [];
    const { standby } = source;
    if (typeof standby !== 'string' || standby === '') return [];
    const message = standbyProblem(name, standby, sources, names);
    return message === undefined
      ? []
      : [{ path: ['sources', name, 'standby'], message }];
  });

/** Whichever is asked last must still be able to answer within the deadline. */
export const longTimeouts = (sources: Sources, deadline: number): Finding[] =>
  [...sources].flatMap(([name, { remote }]) => {
    const wait = longestWait(name, sources);
    if (!remote || wait < deadline) return [];
    const { guard } = remote;
    const endpoints = remote.endpoints.length;
    const asked = [
      ...(endpoints > 1 ? [`${endpoints} endpoints`] : []),
      ...(wait > endpoints * guard.timeout ? ['its standby'] : []),
    ];
    const sum = asked.length > 0 ? ` (${wait} ms with ${asked.join(' and ')})` : '';
    const message = `${guard.timeout} ms${sum} is not shorter than the deadline of a whole decision, ${deadline} ms`;
    return [{ path: ['sources', name, 'timeout'], message }];
  });

export const badFailureModes = (routes: Routes, sources: Sources): Finding[] =>
  routes.flatMap((route, index) => {
    const path = ['routes', index, 'onUnavailable'];
    return (route ? failureModeProblems(route, sources) : []).map(message => ({
      path,
      message,
    }));
  });

function failureModeProblems(route: Route, sources: Sources): string[] {
  const modes = route.sources.flatMap(name => {
    const remote = sources.get(name)?.remote;
    return remote ? [route.onUnavailable ?? remote.onUnavailable] : [];
  });
  const problems: string[] = [];
  const allKnown = route.sources.every(name => sources.has(name));
  if (allKnown && route.onUnavailable !== undefined && modes.length === 0) {
    problems.push(
      'has no effect: none of the sources of this route can be unavailable',
    );
  }
  if (
    route.sources.length > 1 &&
    route.combine !== 'deny-overrides' &&
    modes.includes('fail-open')
  ) {
    problems.push(
      `fail-open would silence the healthy sources of a route that combines by ${route.combine}; ` +
        "allowed: 'fail-closed', or combine: deny-overrides",
    );
  }
  return problems;
}

export function ties(routes: Routes): Finding[] {
  const indexed = routes.flatMap((route, index) => (route ? [{ route, index }] : []));
  return findTies(indexed.map(({ route }) => route)).map(([first, second]) => {
    const [a, b] = [indexed[first]!, indexed[second]!];
    return {
      path: ['routes', b.index],
      message:
        `ties with routes[${a.index}]: prefix '${formatPrefix(a.route.segments)}' and number of constraints are ` +
        'equal and some permission fits both; make their actions or resourceTypes disjoint',
    };
  });
}

/** Allowed, but perhaps not what was meant. */
export function oddities(config: RouterConfig): Finding[] {
  const { routes, sources, fallback } = config;
  const gaps = findCoverageGaps(routes, `the fallback (${fallback})`).map(
    ({ route, message }) => ({ path: ['routes', route], message }),
  );
  const unusual = routes.flatMap(({ segments }, index) => {
    const odd = /[^A-Za-z0-9_.-]/u.exec(segments.join('.'));
    if (!odd) return [];
    const message = `contains '${odd[0]}'; names of permissions are words joined by '.'`;
    return [{ path: ['routes', index, 'prefix'], message }];
  });
  const used = new Set(
    routes.flatMap(route => route.sources).flatMap(name => standbyChain(name, sources)),
  );
  const unused = [...sources.keys()]
    .filter(name => !used.has(name) && !isBuiltIn(name))
    .map(name => ({ path: ['sources', name], message: 'no route names this source' }));
  return [...gaps, ...unusual, ...unused];
}
