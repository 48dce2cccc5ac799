/** What the table says of the policies that other modules bring, and what those modules say. */
import { isJsonObject } from '../lib/json-object';
import { quote } from '../lib/quote';
import type { Finding } from './checks';
import { sourceNameProblem } from '../sources/source-name';
import type { Route, RouterConfig } from './types';

/** The policies that other modules bring, by the name of their source. */
export interface ProvidedPolicyInfo {
  /** Those that are there. */
  readonly names: readonly string[];
  /** Modules that `hostPolicy` wraps under these names have started, but set no policy. */
  readonly unset: readonly string[];
  /** Whether it may say NOT_APPLICABLE: a policy written for Backstage alone never does. */
  mayAbstain(name: string): boolean;
}

export const NOTHING_PROVIDED: ProvidedPolicyInfo = {
  names: [],
  unset: [],
  mayAbstain: () => true,
};

/** On raw sources, so that another mistake in one is not told as a missing one. */
export const unmatchedPolicies = (
  rawSources: Readonly<Record<string, unknown>>,
  provided: ProvidedPolicyInfo,
): Finding[] => [
  ...Object.entries(rawSources).flatMap(([name, source]) => {
    // A name that is none has been told.
    if (sourceNameProblem(name) !== undefined) return [];
    const isHosted = isJsonObject(source) && source.type === 'hosted';
    return isHosted && !provided.names.includes(name)
      ? [{ path: ['sources', name], message: whyMissing(name, provided) }]
      : [];
  }),
  ...provided.names.flatMap(name => {
    if (!Object.hasOwn(rawSources, name)) {
      const message = `a module brings the policy ${quote(name)}, but no source has this name; add ${name}: { type: hosted }, or take the module out of the backend`;
      return [{ path: ['sources'], message }];
    }
    const source = rawSources[name];
    if (!isJsonObject(source) || source.type === 'hosted') return [];
    const message = `must be 'hosted', as a module brings a policy of this name`;
    return [{ path: ['sources', name, 'type'], message }];
  }),
];

function whyMissing(name: string, { names, unset }: ProvidedPolicyInfo): string {
  if (unset.includes(name)) {
    return `the module of hostPolicy('${name}', …) has set no policy in its init; has it failed to start?`;
  }
  const others = names.length > 0 ? names.map(each => `'${each}'`).join(', ') : 'none';
  return `no module brings this policy; provided: ${others}. Wrap the module that sets it, backend.add(hostPolicy('${name}', …)), or call addSource('${name}', …) in a module of yours. If there is such a module, it has not started: see its own error`;
}

/** A policy that says something of every permission, where others may be meant to decide. */
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
      const effect = `what it allows because it is not its own is allowed while '${name}' is away or flooded`;
      return warning(standby, ['sources', name, 'standby'], effect);
    }),
  ];
}

function effectOn({ sources, combine }: Route, position: number): string | undefined {
  if (sources.length === 1) return undefined;
  switch (combine) {
    case 'deny-overrides':
      return 'a permission that it denies because it is not its own is denied here, whatever the others say (deny-overrides)';
    case 'allow-overrides':
      return 'a permission that it allows because it is not its own is allowed here, whatever the others say (allow-overrides)';
    case 'first-applicable': {
      const later = sources.slice(position + 1).map(each => `'${each}'`);
      return later.length > 0
        ? `${later.join(', ')} after it never decide${later.length === 1 ? 's' : ''} (first-applicable)`
        : undefined;
    }
  }
}
