/** Compares the hosted sources of the table with the policies that modules provide. */
import { isJsonObject } from '../lib/json-object';
import { quote } from '../lib/quote';
import type { Finding } from './checks';
import { sourceNameProblem } from '../sources/source-name';
import type { Route, RouterConfig } from './types';

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
export const unmatchedPolicies = (
  rawSources: Readonly<Record<string, unknown>>,
  provided: ProvidedPolicyInfo,
): Finding[] => [
  ...Object.entries(rawSources).flatMap(([name, source]) => {
    // Invalid names have already been reported.
    if (sourceNameProblem(name) !== undefined) return [];
    const isHosted = isJsonObject(source) && source.type === 'hosted';
    return isHosted && !provided.names.includes(name)
      ? [{ path: ['sources', name], message: whyMissing(name, provided) }]
      : [];
  }),
  ...provided.names.flatMap(name => {
    if (!Object.hasOwn(rawSources, name)) {
      const message = `a module provides the policy ${quote(name)}, but no source has this name; add ${name}: { type: hosted }, or remove the module from the backend`;
      return [{ path: ['sources'], message }];
    }
    const source = rawSources[name];
    if (!isJsonObject(source) || source.type === 'hosted') return [];
    const message = `must be 'hosted', because a module provides a policy with this name`;
    return [{ path: ['sources', name, 'type'], message }];
  }),
];

function whyMissing(name: string, { names, unset }: ProvidedPolicyInfo): string {
  if (unset.includes(name)) {
    return `the module in hostPolicy('${name}', …) did not call setPolicy() during init; check whether it started`;
  }
  const others = names.length > 0 ? names.map(each => `'${each}'`).join(', ') : 'none';
  return `no module provides this policy; provided: ${others}. Wrap the module that sets it, backend.add(hostPolicy('${name}', …)), or call addSource('${name}', …) in a module of your own. If there is such a module, it did not start: see its own error`;
}

/** Warns of policies that answer for every permission where other sources may be meant to decide. */
export function neverAbstaining(
  { routes, sources }: RouterConfig,
  provided: ProvidedPolicyInfo,
): Finding[] {
  const warning = (
    name: string,
    path: Finding['path'],
    effect: string | undefined,
  ): Finding[] => {
    const isHosted = sources.get(name)?.type === 'hosted';
    if (!isHosted || provided.mayAbstain(name) || effect === undefined) return [];
    const message = `'${name}' is hosted and never abstains, so ${effect}`;
    return [{ path, message }];
  };
  return [
    ...routes.flatMap((route, index) =>
      route.sources.flatMap((name, position) =>
        warning(name, ['routes', index], effectOn(route, position)),
      ),
    ),
    ...[...sources].flatMap(([name, source]) => {
      const standby = source.remote?.standby;
      if (standby === undefined) return [];
      const effect = `if it allows permissions that it does not know, they are allowed while '${name}' is unavailable or overloaded`;
      return warning(standby, ['sources', name, 'standby'], effect);
    }),
  ];
}

function effectOn({ sources, combine }: Route, position: number): string | undefined {
  if (sources.length === 1) return undefined;
  switch (combine) {
    case 'deny-overrides':
      return 'if it denies permissions that it does not know, they are denied here, whatever the other sources answer (deny-overrides)';
    case 'allow-overrides':
      return 'if it allows permissions that it does not know, they are allowed here, whatever the other sources answer (allow-overrides)';
    case 'first-applicable': {
      const later = sources.slice(position + 1).map(each => `'${each}'`);
      return later.length > 0
        ? `${later.join(', ')}, listed after it, ${later.length === 1 ? 'is' : 'are'} never asked (first-applicable)`
        : undefined;
    }
  }
}
