/** What a policy's conditions may look like: hosted, they decide as they do alone. */
import { coreServices, createBackendModule } from '@backstage/backend-plugin-api';
import { catalogEntityPermissionResourceRef } from '@backstage/plugin-catalog-node/alpha';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { createPermissionRule } from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { hostPolicy } from '../../../src/index';
import {
  authorize,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
import { until } from '../../support/until';

/** What the policy answers every question with; set by the tests. */
let conditions: unknown;

const policyModule = createBackendModule({
  pluginId: 'permission',
  moduleId: 'own-policy',
  register(registration) {
    registration.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        const handle = async () => ({
          result: 'CONDITIONAL',
          pluginId: 'catalog',
          resourceType: 'catalog-entity',
          conditions,
        });
        policy.setPolicy({ handle } as unknown as PermissionPolicy);
      },
    });
  },
});

/** It has no schema, but reads a parameter. */
const isOfType = createPermissionRule({
  name: 'IS_OF_TYPE',
  description: 'Whether spec.type is the one in params',
  resourceRef: catalogEntityPermissionResourceRef,
  apply: ({ spec }, params) =>
    spec?.type === (params as unknown as { type: string }).type,
  toQuery: params => ({
    key: 'spec.type',
    values: [(params as unknown as { type: string }).type],
  }),
});

const rulesModule = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'own-rules',
  register(registration) {
    registration.registerInit({
      deps: { rules: coreServices.permissionsRegistry },
      async init({ rules }) {
        rules.addPermissionRules([isOfType]);
      },
    });
  },
});

const rule = (name: string, params?: object): object => ({
  rule: name,
  resourceType: 'catalog-entity',
  ...(params ? { params } : {}),
});
const isComponent = rule('IS_ENTITY_KIND', { kinds: ['Component'] });
const hasLabel = (label: string): object => rule('HAS_LABEL', { label });

interface Readable {
  /** HTTP statuses of the list and of the single checks. */
  readonly statuses: readonly number[];
  readonly listed: readonly string[];
  readonly checked: readonly string[];
}

const QUESTIONS = ['component:default/payments-api', 'user:default/olivia'].map(ref =>
  onEntity('catalog.entity.read', 'read', ref),
);

async function readable({ url }: RunningBackend, token: string): Promise<Readable> {
  const list = await fetch(`${url}/api/catalog/entities/by-query?limit=100`, {
    headers: { authorization: `Bearer ${token}` },
  });
  interface Listed {
    readonly items?: ReadonlyArray<{ metadata: { name: string } }>;
  }
  const { items = [] } = (await list.json()) as Listed;
  // One by one, because the host repeats the conditions in each item of a batch.
  const checks = await Promise.all(
    QUESTIONS.map(each => authorize(url, token, [each])),
  );
  return {
    statuses: [list.status, ...checks.map(({ status }) => status)],
    listed: items.map(({ metadata }) => metadata.name).sort(),
    checked: checks.flatMap(({ results }) => results),
  };
}

const backends: RunningBackend[] = [];
const tokens: string[] = [];

beforeAll(async () => {
  backends.push(
    await startBackend({ policy: policyModule, features: [rulesModule] }),
    await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: { own: { type: 'hosted' } },
        routes: [{ prefix: '', sources: ['own'] }],
      },
      features: [hostPolicy('own', policyModule), rulesModule],
    }),
  );
  conditions = isComponent;
  for (const backend of backends) {
    const token = await backend.signIn('olivia');
    const hasAll = async () => (await readable(backend, token)).listed.length >= 2;
    await until(hasAll, 'the components were ingested');
    tokens.push(token);
  }
});

afterAll(() => Promise.all(backends.map(backend => backend.stop())));

/** Of a policy with 33 conditions for each of a user's 16 teams. */
const sixteenTeams = {
  anyOf: Array.from({ length: 16 }, (_, team) => ({
    allOf: Array.from({ length: 32 }, (_, label) =>
      hasLabel(`example.com/team-${team}-needs-${label}`),
    ),
  })).concat({ allOf: [isComponent] }),
};

/** As `reduce` makes it. */
const folded = (count: number): object =>
  Array.from({ length: count }, (_, index) => hasLabel(`label-${index}`)).reduce(
    (others, each) => ({ anyOf: [others, each] }),
    isComponent,
  );

const chain = (count: number): object =>
  Array.from({ length: count }).reduce<object>(not => ({ not }), isComponent);

it.each<[what: string, conditions: object]>([
  ['16 teams of 33 conditions', sixteenTeams],
  ['a hundred conditions, folded', folded(99)],
  ['a hundred and fifty negations', chain(150)],
  ['a description in a leaf', { ...isComponent, description: 'Components' }],
  [
    'resourceType beside anyOf',
    { anyOf: [isComponent], resourceType: 'catalog-entity' },
  ],
  [
    'further keys at every level, whatever is in them',
    {
      resourceType: 'catalog-entity',
      params: {},
      allOf: [
        { not: { ...hasLabel('none'), name: null }, description: { en: ['None'] } },
        { anyOf: [isComponent], pluginId: 'catalog', since: 1 },
      ],
    },
  ],
  ['a key without a value', { ...isComponent, description: undefined }],
  ['params of a rule without a schema', rule('IS_OF_TYPE', { type: 'service' })],
])('with %s', async (_what, given) => {
  conditions = given;
  const [alone, hosted] = await Promise.all(
    backends.map((backend, index) => readable(backend, tokens[index]!)),
  );
  expect(alone).toMatchObject({
    statuses: [200, 200, 200],
    checked: ['ALLOW', 'DENY'],
  });
  expect(alone!.listed).toContain('payments-api');
  expect(hosted).toEqual(alone);
});
