/** Checks between parts of a config that are each valid alone. */
import { cut, someNames, someOf } from '../lib/bounded';
import { MAX_ITEMS } from '../lib/fields';
import { isJsonObject } from '../lib/json-object';
import { findCoverageGaps } from '../routing/coverage';
import { patternLabel, routeLabel } from '../routing/label';
import { textOf, type NamePattern } from '../prefix';
import { findTies } from '../routing/ties';
import type { SourceConfig } from '../sources/kind';
import { isBuiltIn, kindOf } from '../sources/kinds';
import type { Checking } from './checking';
import { unusedShadows } from './shadow-config';
import { longestWaits, standbyCircles, standbyProblem, withStandbys } from './standby';
import type { Route, RouterConfig } from './types';
import type { OddFinding } from './warnings';

type Sources = ReadonlyMap<string, SourceConfig>;

/** Each route at its index; undefined where it could not be read. */
type Routes = ReadonlyArray<Route | undefined>;

/** Takes raw routes: an unknown source is reported even if its route has another mistake. */
export async function unknownSources(
  rawRoutes: readonly unknown[],
  names: ReadonlySet<string>,
  { findings, slices }: Checking,
): Promise<void> {
  const allowed = someNames([...names]);
  await slices.each(rawRoutes, (route, index) => {
    const sources: unknown = isJsonObject(route) ? route.sources : undefined;
    // A longer list is an error of its own.
    if (!Array.isArray(sources) || sources.length > MAX_ITEMS) return;
    sources.forEach((name: unknown, position) => {
      if (typeof name !== 'string' || name === '' || names.has(name)) return;
      findings.add({
        path: ['routes', index, 'sources', position],
        message: `unknown source '${cut(name)}'; allowed: ${allowed}`,
        sameAs: `unknown source ${name}`,
      });
    });
  });
}

/** Takes raw sources: a bad standby is reported even if its source has another mistake. */
export async function badStandbys(
  rawSources: Readonly<Record<string, unknown>>,
  sources: Sources,
  names: ReadonlySet<string>,
  { findings, slices }: Checking,
): Promise<void> {
  const circles = standbyCircles(sources);
  await slices.each(Object.entries(rawSources), ([name, source]) => {
    if (!isJsonObject(source) || !kindOf(source.type)?.isRemote) return;
    const { standby } = source;
    if (typeof standby !== 'string' || standby === '') return;
    const message = standbyProblem(name, standby, sources, circles, names);
    if (message === undefined) return;
    findings.add({ path: ['sources', name, 'standby'], message });
  });
}

/** Whichever is asked last must still be able to answer within the deadline. */
export async function longTimeouts(
  sources: Sources,
  deadline: number,
  { findings, slices }: Checking,
): Promise<void> {
  const waits = longestWaits(sources);
  await slices.each(sources, ([name, { remote }]) => {
    const wait = waits.get(name)!;
    if (!remote || wait < deadline) return;
    const { guard } = remote;
    const endpoints = remote.endpoints.length;
    const asked = [
      ...(endpoints > 1 ? [`${endpoints} endpoints`] : []),
      ...(wait > endpoints * guard.timeout ? ['its standby'] : []),
    ];
    const sum = asked.length > 0 ? ` (${wait} ms with ${asked.join(' and ')})` : '';
    const message = `${guard.timeout} ms${sum} is not shorter than the deadline of a whole decision, ${deadline} ms`;
    findings.add({ path: ['sources', name, 'timeout'], message });
  });
}

export const badFailureModes = (
  routes: Routes,
  sources: Sources,
  { findings, slices }: Checking,
): Promise<void> =>
  slices.each(routes, (route, index) => {
    if (!route) return;
    for (const message of failureModeProblems(route, sources)) {
      const path = ['routes', index, 'onUnavailable'];
      findings.add({ path, message, sameAs: message });
    }
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

export async function ties(
  routes: Routes,
  { findings, slices }: Checking,
): Promise<void> {
  for (const [first, second, ...others] of await findTies(routes, slices)) {
    const route = routes[first!]!;
    const what = `${route.kind === 'name' ? '' : 'prefix '}${patternLabel(route)}`;
    const message =
      others.length === 0
        ? `ties with routes[${first}]: ${what} and number of constraints are ` +
          'equal and some permission fits both; make their actions or resourceTypes disjoint'
        : `ties with ${list([first!, ...others])}: their ${what} and number of constraints are ` +
          'equal and some permission fits more than one of them; make their actions or resourceTypes disjoint';
    findings.add({ path: ['routes', second!], message });
  }
}

const list = (routes: readonly number[]): string =>
  someOf(
    routes.slice(0, 5).map(index => `routes[${index}]`),
    routes.length,
  );

/** Whether a route allows what none of its sources has an opinion on. */
function allowsByItself({ sources, combine, default: otherwise }: Route): boolean {
  const constants = sources.filter(name => name === 'allow' || name === 'deny');
  const [first] = constants;
  if (first === undefined) return otherwise === 'allow';
  switch (combine) {
    case 'deny-overrides':
      return !constants.includes('deny');
    case 'allow-overrides':
      return constants.includes('allow');
    case 'first-applicable':
      return first === 'allow';
  }
}

/** Allowed, but perhaps not what was meant: it opens something, or never decides. */
export async function oddities(
  { routes, sources, fallback, observe, shadow }: RouterConfig,
  { findings, slices }: Checking<OddFinding>,
): Promise<void> {
  const subjectOf = (index: number): string => routeLabel(routes[index]!);
  await findCoverageGaps(
    routes,
    {
      isOpen: index => allowsByItself(routes[index]!),
      isFallbackOpen: fallback === 'allow',
    },
    ({ route, ...rest }) =>
      findings.add({ path: ['routes', route], subject: subjectOf(route), ...rest }),
    slices,
  );
  const named = new Set<string>(observe ? [observe.answer] : []);
  await slices.each(routes, (route, index) => {
    for (const name of route.sources) named.add(name);
    if (route.observe) named.add(route.observe.answer);
    const message = oddPattern(route);
    if (message === undefined) return;
    const path = ['routes', index, route.kind === 'name' ? 'name' : 'prefix'];
    findings.add({
      code: 'ODD_PATTERN',
      path,
      subject: subjectOf(index),
      message,
      sameAs: message,
    });
  });
  for (const [name, { type, options }] of sources) {
    const kind = kindOf(type);
    if (!kind?.isRemote) continue;
    for (const { code, path, message } of kind.oddities?.(options as never) ?? [])
      findings.add({ code, path: ['sources', name, ...path], message });
  }
  unusedShadows(shadow, named, { findings });
  const compared = [...shadow.values()].map(({ source }) => source);
  const used = withStandbys([...named, ...compared], sources);
  for (const name of sources.keys()) {
    if (used.has(name) || isBuiltIn(name)) continue;
    const message = 'no route names this source';
    findings.add({
      code: 'UNUSED_SOURCE',
      path: ['sources', name],
      message,
      sameAs: message,
    });
  }
}

/** Why a prefix or name may match something else than was meant. */
function oddPattern(pattern: NamePattern): string | undefined {
  const text = textOf(pattern);
  switch (pattern.kind) {
    case 'start':
      return undefined;
    case 'name':
      if (/[./*]$/.test(text)) {
        return "looks like a prefix, but matches only this exact name; for all names that begin with it write 'prefix' in place of 'name'";
      }
      if (/^\p{Z}|\p{Z}$|\p{C}/u.test(text)) {
        return 'begins or ends with white space, or contains invisible characters; a permission must have exactly this name';
      }
      return undefined;
    case undefined: {
      const odd = /[^A-Za-z0-9_.-]/u.exec(text);
      return odd
        ? `contains '${odd[0]}', but matches whole words joined by '.'; for all names that begin with it ` +
            "end it with '/', and for one exact name write 'name' in place of 'prefix'"
        : undefined;
    }
  }
}
