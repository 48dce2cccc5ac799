/** Compares the hosted sources of the table with the policies that modules provide. */
import { someNames } from '../lib/bounded';
import { isJsonObject } from '../lib/json-object';
import { quote } from '../lib/quote';
import { routeLabel } from '../routing/label';
import { sourceNameProblem } from '../sources/source-name';
import type { Checking } from './checking';
import type { Finding } from './findings';
import type { Route, RouterConfig } from './types';
import type { OddFinding } from './warnings';

/** The policies that other modules provide, by the name of their source. */
export interface ProvidedPolicyInfo {
  /** The names under which a policy was provided. */
  readonly names: readonly string[];
  /** The names of `hostPolicy` calls whose module has started without setting a policy. */
  readonly unset: readonly string[];
  /** Whether it may answer NOT_APPLICABLE, which a policy written for Backstage never does. */
  mayAbstain(name: string): boolean;
}

export const NOTHING_PROVIDED: ProvidedPolicyInfo = {
  names: [],
  unset: [],
  mayAbstain: () => true,
};

/** Checks the raw sources, so that a source with another mistake does not count as missing. */
export async function unmatchedPolicies(
  rawSources: Readonly<Record<string, unknown>>,
  provided: ProvidedPolicyInfo,
  { findings, slices }: Checking,
): Promise<void> {
  const names = new Set(provided.names);
  const unset = new Set(provided.unset);
  const allProvided = names.size > 0 ? someNames([...names]) : 'none';
  await slices.each(Object.entries(rawSources), ([name, source]) => {
    // Invalid names have already been reported.
    if (sourceNameProblem(name) !== undefined) return;
    if (!isJsonObject(source) || source.type !== 'hosted' || names.has(name)) return;
    const message = unset.has(name)
      ? `the module in hostPolicy('${name}', …) did not call setPolicy() during init; check whether it started`
      : `no module provides this policy; provided: ${allProvided}. Wrap the module that sets it, backend.add(hostPolicy('${name}', …)), or call addSource('${name}', …) in a module of your own. If there is such a module, it did not start: see its own error`;
    findings.add({ path: ['sources', name], message });
  });
  for (const name of names) {
    if (!Object.hasOwn(rawSources, name)) {
      const message = `a module provides the policy ${quote(name)}, but no source has this name; add ${name}: { type: hosted }, or remove the module from the backend`;
      findings.add({ path: ['sources'], message });
      continue;
    }
    const source = rawSources[name];
    if (!isJsonObject(source) || source.type === 'hosted') continue;
    const message = `must be 'hosted', because a module provides a policy with this name`;
    findings.add({ path: ['sources', name, 'type'], message });
  }
}

/** Warns of policies that answer for every permission where that may open it, or silence others. */
export async function neverAbstaining(
  { routes, sources }: RouterConfig,
  provided: ProvidedPolicyInfo,
  { findings, slices }: Checking<OddFinding>,
): Promise<void> {
  const never = new Set(
    [...sources.keys()].filter(
      name => sources.get(name)?.type === 'hosted' && !provided.mayAbstain(name),
    ),
  );
  const warn = (
    name: string,
    place: Pick<Finding, 'path' | 'subject'>,
    effect: string,
    where = effect,
  ): void => {
    const message = `'${name}' is hosted and never abstains, so ${effect}`;
    findings.add({
      code: 'NEVER_ABSTAINS',
      ...place,
      message,
      sameAs: `'${name}' ${where}`,
    });
  };
  await slices.each(routes, (route, index) =>
    route.sources.forEach((name, position) => {
      if (!never.has(name)) return;
      const effect = effectOn(route, position);
      if (effect === undefined) return;
      warn(name, { path: ['routes', index], subject: routeLabel(route) }, effect);
    }),
  );
  await slices.each(sources, ([name, { remote }]) => {
    const standby = remote?.standby;
    if (standby === undefined || !never.has(standby)) return;
    const effect = `if it allows permissions that it does not know, they are allowed while '${name}' is unavailable or overloaded`;
    warn(standby, { path: ['sources', name, 'standby'] }, effect, 'as a standby');
  });
}

function effectOn({ sources, combine }: Route, position: number): string | undefined {
  if (sources.length === 1) return undefined;
  switch (combine) {
    // It can only deny more, and that both must agree is what such a route is for.
    case 'deny-overrides':
      return undefined;
    case 'allow-overrides':
      return 'if it allows permissions that it does not know, they are allowed here, whatever the other sources answer (allow-overrides)';
    case 'first-applicable': {
      const later = sources.length - position - 1;
      if (later === 0) return undefined;
      const first = sources.slice(position + 1, position + 1 + MAX_NAMED);
      return `${someNames(first, later)}, listed after it, ${later === 1 ? 'is' : 'are'} never asked (first-applicable)`;
    }
  }
}

const MAX_NAMED = 10;
