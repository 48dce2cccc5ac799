/** Who is measured on /authorize, and how each is configured. */
import type { PolicyName } from './policies';
import type { Decides, Kind } from './questions';

/** Where the contestants find what they ask. */
export interface Sources {
  /** Over TCP. */
  readonly opaUrl: string;
  /** `unix:/path/to/socket` of the same OPA. */
  readonly opaSocket: string;
  /** The same policy, compiled to Wasm. */
  readonly bundle: string;
  /** The rule of that OPA that answers many questions in one request. */
  readonly batch: string;
}

export interface BackendContestant {
  /** A `ContestantId`, or one of another section. */
  readonly id: string;
  readonly title: string;
  readonly policy: PolicyName;
  readonly decides: Decides;
  readonly kinds: readonly Kind[];
  /** The value of `permission`. */
  permission(sources: Sources): object;
}

export type ContestantId =
  | 'allow-all'
  | 'owner'
  | 'undici'
  | 'undici-batch'
  | 'opa-wrapper'
  | 'native'
  | 'ownership'
  | 'conditions'
  | 'wasm'
  | 'opa'
  | 'opa-unix'
  | 'opa-batch';

export const ENTRYPOINT = 'backstage_policy/decision';
const ALL: readonly Kind[] = ['distinct', 'equal', 'conditional'];
const UNCONDITIONAL: readonly Kind[] = ['distinct', 'equal'];

const without = (id: ContestantId, title: string, policy: PolicyName) => ({
  id,
  title,
  policy,
  decides: 'allows' as const,
  kinds: ALL,
  permission: () => ({}),
});

/** The router, which asks this source about everything. */
const router = (
  id: ContestantId,
  title: string,
  source: (sources: Sources) => object,
  kinds: readonly Kind[] = ALL,
): BackendContestant => ({
  id,
  title,
  policy: 'router',
  decides: 'by name',
  kinds,
  permission: sources => ({
    policyRouter: {
      fallback: 'deny',
      deadline: '30s',
      sources: { measured: source(sources) },
      routes: [{ prefix: '', sources: ['measured'] }],
    },
  }),
});

/** The conditions that the policy of the benchmark gives, in YAML. */
export const OWNED = {
  rule: 'IS_ENTITY_OWNER',
  params: { claims: '$ownershipRefs' },
};

/** Times that also a busy machine keeps, because a late answer would be a wrong one. */
const UNHURRIED = { timeout: '10s', queue: 1000 };

export const opa = (baseUrl: string): object => ({
  type: 'opa',
  entrypoint: ENTRYPOINT,
  baseUrl,
  ...UNHURRIED,
});

/** In the order in which they are measured: those that are compared are close to each other. */
export const CONTESTANTS: readonly BackendContestant[] = [
  {
    ...without('opa-wrapper', 'opa-wrapper 2.0.2', 'opa-wrapper'),
    decides: 'by name',
    permission: ({ opaUrl }) => ({
      opa: {
        baseUrl: opaUrl,
        policy: { policyEntryPoint: ENTRYPOINT, policyFallbackDecision: 'deny' },
      },
    }),
  },
  router('opa-unix', 'router: OPA over a Unix socket', ({ opaSocket }) =>
    opa(opaSocket),
  ),
  router('opa', 'router: OPA over TCP', ({ opaUrl }) => opa(opaUrl)),
  { ...without('undici', 'bare undici policy', 'undici'), decides: 'by name' },
  {
    ...without('undici-batch', 'bare undici policy, batched', 'undici-batch'),
    decides: 'by name',
  },
  router('opa-batch', 'router: OPA with batch', ({ opaUrl, batch }) => ({
    ...opa(opaUrl),
    batch,
  })),
  router('wasm', 'router: Wasm', ({ bundle }) => ({
    type: 'opa-wasm',
    bundle,
    entrypoint: ENTRYPOINT,
  })),
  without('allow-all', 'allow-all', 'allow-all'),
  {
    id: 'native',
    title: 'router: native',
    policy: 'router',
    decides: 'by name',
    kinds: UNCONDITIONAL,
    permission: () => ({
      policyRouter: {
        fallback: 'deny',
        routes: [{ prefix: 'open', sources: ['allow'] }],
      },
    }),
  },
  router('conditions', 'router: conditions in YAML', () => ({
    type: 'conditions',
    rules: [
      {
        permissions: ['catalog.entity'],
        resourceTypes: ['catalog-entity'],
        pluginId: 'catalog',
        conditions: OWNED,
      },
      { permissions: ['open'], result: 'allow' },
      { result: 'deny' },
    ],
  })),
  {
    ...without('owner', 'hand-written owner policy', 'owner'),
    decides: 'allows basic',
  },
  router('ownership', 'router: ownership', () => ({ type: 'ownership' }), [
    'conditional',
  ]),
];

/** The others are given in relation to it. */
export const BASELINE: ContestantId = 'allow-all';
/** What one request to OPA per question allows at best. */
export const LIMIT: ContestantId = 'undici';
