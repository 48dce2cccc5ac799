/**
 * What is said in place of sources that cannot be asked here: policies that other modules provide, and
 * an OPA that nobody has named. Nothing is said unless somebody has stated it.
 */
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { isJsonObject } from '../../lib/json-object';
import type { ProvidedPolicyInfo } from '../../config/hosted';
import type { HostedPolicies } from '../../sources/hosted/policies';
import type { DecisionRecord } from '../../trace/record';
import type { SourceDecision } from '../../sources/hosted/policy-source';

/** What a stand-in says to a question; undefined if that is not stated. */
export type StandIn = (
  query: PolicyQuery,
  user: PolicyQueryUser | undefined,
) => 'allow' | 'deny' | 'not-applicable' | undefined;

/** By the name of the source. */
export type StandIns = ReadonlyMap<string, StandIn>;

/** Which answers in a record were made up, in words. */
export const standInNotes = (
  { sources }: Pick<DecisionRecord, 'sources'>,
  saidBy: (source: string) => string | undefined,
): string[] =>
  sources
    .flatMap(({ source, verdict, attempts }) =>
      verdict === 'NOT_ASKED'
        ? []
        : (attempts ?? [{ source }]).map(attempt => attempt.source),
    )
    .flatMap(source => {
      const said = saidBy(source);
      return said === undefined
        ? []
        : [`'${source}' was not asked: its stand-in says ${said}`];
    });

const DECISIONS: Readonly<Record<NonNullable<ReturnType<StandIn>>, SourceDecision>> = {
  allow: { result: AuthorizeResult.ALLOW },
  deny: { result: AuthorizeResult.DENY },
  'not-applicable': { result: 'NOT_APPLICABLE' },
};

/** Answers for the hosted sources of a config, and remembers what was not stated. */
export class StandInPolicies implements HostedPolicies, ProvidedPolicyInfo {
  readonly unset: readonly string[] = [];
  private missing = new Set<string>();

  /**
   * @param names - of all hosted sources.
   * @param standIns - may change between two questions.
   */
  constructor(
    readonly names: readonly string[],
    private standIns: StandIns,
  ) {}

  mayAbstain(): boolean {
    return true;
  }

  get(name: string): ReturnType<HostedPolicies['get']> {
    const handle = async (
      query: PolicyQuery,
      user?: PolicyQueryUser,
    ): Promise<SourceDecision> => {
      const said = this.standIns.get(name)?.(query, user);
      if (said !== undefined) return DECISIONS[said];
      this.missing.add(name);
      throw new Error('no stand-in');
    };
    return { policy: { handle }, mayAbstain: true };
  }

  use(standIns: StandIns): void {
    this.standIns = standIns;
  }

  /** The sources that were asked since the last call, and for which nothing is stated. */
  takeMissing(): readonly string[] {
    const names = [...this.missing];
    this.missing = new Set();
    return names;
  }
}

/** How sources of type `opa` are asked here. */
export interface LocalOpa {
  /** Where; undefined if nobody has named an OPA, so that stand-ins answer. */
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** The sources that are down, as a test of an outage wants it. */
  readonly unavailable?: ReadonlySet<string>;
}

/** No socket is there. */
const NOWHERE = 'unix:/nonexistent/policy-router/opa.sock';

/** What every source has that must be waited for. */
const REMOTE_KEYS = [
  ...['timeout', 'concurrency', 'queue', 'circuitBreaker'],
  ...['onUnavailable', 'standby'],
] as const;

/**
 * The config with sources that can be asked here. Tokens and certificates of the config's OPA are
 * left out: they are for that OPA only.
 *
 * @param raw - the value at `permission.policyRouter`, valid or not.
 */
export function localConfig(
  raw: unknown,
  { url, token, unavailable = new Set() }: LocalOpa,
): { readonly raw: unknown; readonly hosted: readonly string[] } {
  if (!isJsonObject(raw) || !isJsonObject(raw.sources)) return { raw, hosted: [] };
  const sources = Object.entries(raw.sources).map(([name, source]) => {
    if (!isJsonObject(source) || source.type !== 'opa') return [name, source] as const;
    const rest: Record<string, unknown> = { ...source };
    delete rest.auth;
    delete rest.tls;
    if (unavailable.has(name)) return [name, { ...rest, baseUrl: NOWHERE }] as const;
    if (url !== undefined) {
      const auth = token === undefined ? {} : { auth: { token } };
      return [name, { ...rest, baseUrl: url, ...auth }] as const;
    }
    const remote = REMOTE_KEYS.flatMap(key => (key in rest ? [[key, rest[key]]] : []));
    return [name, { type: 'hosted', ...Object.fromEntries(remote) }] as const;
  });
  const hosted = sources.flatMap(([name, source]) =>
    isJsonObject(source) && source.type === 'hosted' ? [name] : [],
  );
  const local: Record<string, unknown> = {
    ...raw,
    sources: Object.fromEntries(sources),
  };
  // It decides nothing, and would ask sources that nobody has said anything for.
  delete local.shadow;
  return { raw: local, hosted };
}
