/**
 * The fictional world of the soak: who asks what, how each version of the policy answers, and
 * the config that routes it. Every conditional answer contains the user, the question and the
 * policy version, so that an answer to another question is recognized.
 */
import { stringify } from 'yaml';
import { tlsFixture } from '../support/tls-fixture';

export const ENTRYPOINT = 'soak/decision';
export const RESOURCE_TYPE = 'catalog-entity';

/** Milliseconds. */
export const DEADLINE = 2000;
export const TIMEOUT = 600;
export const RESET_TIMEOUT = 200;

/** The version of the policy: an OPA server has one of the first two, the embedded Wasm the third. */
export type Version = '1' | '2' | 'embedded';
export const SERVER_VERSIONS = ['1', '2'] as const;

export interface Person {
  readonly ref: string;
  readonly claims: readonly string[];
  /** True if the claims are so many that no conditions have room for them. */
  readonly isCrowded?: boolean;
}

const person = (name: string, ...groups: string[]): Person => {
  const ref = `user:default/${name}`;
  return { ref, claims: [ref, ...groups.map(group => `group:default/${group}`)] };
};

/** The users in the sample catalog, who can sign in. */
export const PERSONAS = {
  olivia: person('olivia', 'payments'),
  nolan: person('nolan', 'search'),
  petra: person('petra', 'platform'),
} as const;

export const PEOPLE: readonly Person[] = [
  ...Object.values(PERSONAS),
  person('ulla', 'payments'),
  person('vera'),
];

/** A user in 5,000 groups, as some directories have them. */
export const CROWDED: Person = {
  ...person('cara', ...Array.from({ length: 5000 }, (_, index) => `team-${index}`)),
  isCrowded: true,
};

/** The bypass group of the ownership source. */
export const BYPASS = 'group:default/platform';

export interface Asked {
  /** The first segment of the name, which is the prefix of its route. */
  readonly prefix: string;
  readonly name: string;
  readonly isResource: boolean;
}

const PREFIXES = ['closed', 'open', 'backed', 'pair', 'both', 'moved', 'swap', 'none'];

/** A server answers every `bad` question with an invalid decision; the embedded policy allows it. */
export const ASKED: readonly Asked[] = PREFIXES.flatMap(prefix => [
  ...['b0', 'b1', 'b2', 'bad'].map(name => ({
    prefix,
    name: `${prefix}.${name}`,
    isResource: false,
  })),
  ...['r0', 'r1', 'r2'].map(name => ({
    prefix,
    name: `${prefix}.${name}`,
    isResource: true,
  })),
]);

export type Said = 'ALLOW' | 'DENY' | 'NOT_APPLICABLE' | 'CONDITIONAL' | 'INVALID';

/** The answer of this version of the policy. */
export function said(version: Version, { ref }: Person, asked: Asked): Said {
  if (asked.name.endsWith('.bad')) return version === 'embedded' ? 'ALLOW' : 'INVALID';
  const answers: readonly Said[] = asked.isResource
    ? ['ALLOW', 'DENY', 'CONDITIONAL', 'CONDITIONAL', 'NOT_APPLICABLE']
    : ['ALLOW', 'ALLOW', 'DENY', 'DENY', 'NOT_APPLICABLE'];
  return answers[hash(`${version} ${ref} ${asked.name}`) % answers.length]!;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value >>> 7;
}

/** The claims in the condition of a conditional answer. */
export const stampedClaims = (
  version: Version,
  { claims }: Person,
  { name }: Asked,
): string[] => [...claims, `stamp:default/${version}.${name}`];

export const POLICY = `package soak

import rego.v1

said := data.grants[data.version][input.identity.user][input.permission.name]

decision := {"result": said} if said in {"ALLOW", "DENY", "NOT_APPLICABLE"}

decision := {"result": "allow"} if said == "INVALID"

decision := {
	"result": "CONDITIONAL",
	"pluginId": "catalog",
	"resourceType": "${RESOURCE_TYPE}",
	"conditions": {
		"rule": "IS_ENTITY_OWNER",
		"resourceType": "${RESOURCE_TYPE}",
		"params": {"claims": array.concat(input.identity.claims, [stamp])},
	},
} if said == "CONDITIONAL"

stamp := concat("", ["stamp:default/", data.version, ".", input.permission.name])
`;

/** OPA's data document for this version. */
export const dataOf = (version: Version): object => ({
  version,
  grants: Object.fromEntries(
    [...SERVER_VERSIONS, 'embedded' as const].map(each => [
      each,
      Object.fromEntries(
        [...PEOPLE, CROWDED].map(who => [
          who.ref,
          Object.fromEntries(ASKED.map(asked => [asked.name, said(each, who, asked)])),
        ]),
      ),
    ]),
  ),
});

export interface WorldUrls {
  readonly main: string;
  /** The same server through TLS, whose connections take more turns of the event loop. */
  readonly mainSecure: string;
  readonly second: string;
  readonly bundle: string;
}

/** What the oracle knows about each source. */
export interface SourceModel {
  readonly kind: 'allow' | 'deny' | 'ownership' | 'opa';
  readonly endpoints?: ReadonlyArray<'main' | 'second'>;
  readonly failOpen?: boolean;
  readonly standby?: boolean;
}

export const SOURCES: Readonly<Record<string, SourceModel>> = {
  allow: { kind: 'allow' },
  deny: { kind: 'deny' },
  ownership: { kind: 'ownership' },
  closed: { kind: 'opa', endpoints: ['main'] },
  open: { kind: 'opa', endpoints: ['main'], failOpen: true },
  backed: { kind: 'opa', endpoints: ['main'], standby: true },
  pair: { kind: 'opa', endpoints: ['main', 'second'] },
};

/**
 * The same sources as config.
 *
 * @param round - a different one replaces every source that has connections.
 */
export function sourcesConfig(urls: WorldUrls, round: number): object {
  const opa = (...endpoints: string[]): object => ({
    type: 'opa',
    baseUrl: endpoints,
    entrypoint: ENTRYPOINT,
    timeout: `${TIMEOUT}ms`,
    concurrency: 8 + (round % 2),
    queue: 32,
    circuitBreaker: {
      volumeThreshold: 5,
      rollingWindow: '1s',
      resetTimeout: `${RESET_TIMEOUT}ms`,
    },
  });
  return {
    ownership: { type: 'ownership', bypass: [BYPASS] },
    embedded: { type: 'opa-wasm', bundle: urls.bundle, entrypoint: ENTRYPOINT },
    closed: opa(urls.main),
    // So small that a flood does not fit.
    open: {
      ...opa(urls.mainSecure),
      tls: { ca: tlsFixture('ca.pem') },
      queue: 4,
      onUnavailable: 'fail-open',
    },
    backed: { ...opa(urls.main), standby: 'embedded' },
    pair: opa(urls.main, urls.second),
  };
}

export interface RouteModel {
  readonly sources: readonly string[];
  readonly failClosed?: boolean;
}

export type TableName = 'A' | 'B';

export interface TableModel {
  readonly fallback: 'allow' | 'deny';
  /** By prefix. */
  readonly routes: Readonly<Record<string, RouteModel>>;
}

const common: Readonly<Record<string, RouteModel>> = {
  closed: { sources: ['closed'] },
  backed: { sources: ['backed'] },
  pair: { sources: ['pair'] },
  both: { sources: ['ownership', 'closed'] },
};

export const TABLES: Readonly<Record<TableName, TableModel>> = {
  A: {
    fallback: 'deny',
    routes: {
      ...common,
      open: { sources: ['open'] },
      moved: { sources: ['closed'] },
      swap: { sources: ['allow'] },
    },
  },
  B: {
    fallback: 'allow',
    routes: {
      ...common,
      open: { sources: ['open'], failClosed: true },
      moved: { sources: ['pair'] },
      swap: { sources: ['deny'] },
    },
  },
};

/** The routing file of a table. */
export function routingFile(name: TableName): string {
  const { fallback, routes } = TABLES[name];
  return stringify({
    fallback,
    routes: Object.entries(routes).map(([prefix, { sources, failClosed }]) => ({
      prefix,
      sources,
      ...(failClosed ? { onUnavailable: 'fail-closed' } : {}),
    })),
  });
}

/** Invalid routing files, which must change nothing. */
export const INVALID_FILES: readonly string[] = [
  '',
  'fallback: [allow\nroutes',
  'fallback: allow\nroutes: []\n',
  'fallback: allow\nroutes: [{ prefix: closed, sources: [allow] }]\nfalback: deny\n',
  'fallback: allow\nroutes: [{ prefix: closed, sources: [nobody] }]\n',
  'fallback: allow\nroutes: [{ prefix: open, sources: [open, allow], combine: allow-overrides }]\n',
];
