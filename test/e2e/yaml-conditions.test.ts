/** The examples of docs/yaml-conditions.md on the real catalog: lists and single checks agree. */
import { createBackendModule } from '@backstage/backend-plugin-api';
import type { Entity } from '@backstage/catalog-model';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import { parse } from 'yaml';
import { refOf } from '../properties/reference/catalog-rules';
import { SQLITE } from '../support/app-config';
import {
  ingested,
  startCatalogBackend,
  type CatalogBackend,
} from '../support/catalog-backend';
import {
  byRefs,
  checks,
  checksOneByOne,
  LISTS,
  type Reader,
} from '../support/catalog-reads';
import { Guide } from '../support/guide';

const page = new Guide('docs/yaml-conditions.md');

interface Example {
  readonly sources: Readonly<Record<string, object>>;
  readonly routes: ReadonlyArray<{ readonly prefix: string }>;
}
const example = (heading: string): Example =>
  parse(page.block(heading, 'yaml')) as Example;

const entity = (
  kind: string,
  name: string,
  spec: Record<string, unknown>,
  labels: Record<string, string> = {},
): Entity =>
  ({
    apiVersion:
      kind === 'Template' ? 'scaffolder.backstage.io/v1beta3' : 'backstage.io/v1alpha1',
    kind,
    metadata: { name, labels },
    spec,
  }) as Entity;

const service = (name: string, more: object, labels = {}): Entity =>
  entity(
    'Component',
    name,
    { type: 'service', lifecycle: 'production', owner: 'search', ...more },
    labels,
  );

const ENTITIES = [
  entity('User', 'olivia', { memberOf: ['payments'] }),
  entity('User', 'connor', { memberOf: ['contractors'] }),
  entity('User', 'petra', { memberOf: ['platform'] }),
  entity('System', 'payments', { owner: 'payments' }),
  entity('System', 'search', { owner: 'search' }),
  entity('Template', 'cluster', { permission: 'admin', type: 'service', steps: [] }),
  entity('Template', 'website', { permission: 'user', type: 'service', steps: [] }),
  entity('Template', 'library', { type: 'library', steps: [] }),
  service(
    'ledger',
    { system: 'payments', owner: 'payments' },
    { visibility: 'private' },
  ),
  service('api', { system: 'payments' }, { visibility: 'public' }),
  service('payments', { system: 'search' }),
  service('index', { system: 'search' }, { visibility: 'private' }),
  service('admin', { permission: 'admin' }, { visibility: 'public' }),
];
const REFS = ENTITIES.map(refOf);
const without = (...refs: string[]): string[] =>
  REFS.filter(ref => !refs.includes(ref));

const ADMINS = ['template:default/cluster', 'component:default/admin'];
const PUBLIC = ['component:default/api', 'component:default/admin'];
const PRIVATE = ['component:default/ledger', 'component:default/index'];
const OF_PAYMENTS = [
  'system:default/payments',
  'component:default/ledger',
  'component:default/api',
];

const CASES: ReadonlyArray<{
  readonly heading: string;
  readonly seenBy: Readonly<Record<string, readonly string[]>>;
}> = [
  {
    heading: 'Hide some entities',
    seenBy: { olivia: without(...ADMINS), petra: without(...ADMINS) },
  },
  {
    heading: 'Show only some entities',
    seenBy: {
      olivia: ['system:default/payments', 'component:default/ledger', ...PUBLIC],
      connor: PUBLIC,
    },
  },
  {
    heading: 'Let a group see one system',
    seenBy: { connor: OF_PAYMENTS, olivia: REFS },
  },
  {
    heading: 'Which rule decides',
    seenBy: { petra: REFS, olivia: without(...PRIVATE) },
  },
];

/** As the scaffolder's module of the catalog does. */
const templates = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'templates',
  register(registration) {
    registration.registerInit({
      deps: { catalog: catalogProcessingExtensionPoint },
      async init({ catalog }) {
        catalog.addProcessor({
          getProcessorName: () => 'templates',
          validateEntityKind: async ({ kind }) => kind === 'Template',
        });
      },
    });
  },
});

let backend: CatalogBackend;
const readers = new Map<string, Reader>();

beforeAll(async () => {
  backend = await startCatalogBackend({
    entities: ENTITIES,
    database: SQLITE,
    sources: {
      ...Object.fromEntries(
        CASES.flatMap(({ heading }) => Object.entries(example(heading).sources)),
      ),
      misspelt: {
        type: 'conditions',
        rules: [
          {
            resourceTypes: ['catalog-entity'],
            pluginId: 'catalog',
            conditions: { rule: 'HAS_LABLE', params: { label: 'visibility' } },
          },
        ],
      },
    },
    features: [templates],
  });
  for (const name of ['olivia', 'connor', 'petra']) {
    readers.set(name, {
      url: backend.url,
      token: await backend.signIn(name),
      refByName: new Map(),
    });
  }
  await ingested(backend, readers.get('olivia')!.token, ENTITIES.length);
}, 120_000);

afterAll(() => backend?.stop());

describe.each(CASES)('the example of "$heading"', ({ heading, seenBy }) => {
  beforeAll(async () => {
    const { routes } = example(heading);
    expect(routes.map(({ prefix }) => prefix)).toEqual(['catalog.entity.read']);
    await backend.use(routes[0]!);
  });

  // Names are not unique here, so facets by name do not tell what is seen.
  const { entities, 'by-query': byQuery } = LISTS;
  const ways = { entities, byQuery, byRefs, checks, checksOneByOne };

  it.each(Object.keys(seenBy))(
    'shows the same to %s in lists and single checks',
    async name => {
      const seen: Record<string, string[]> = {};
      for (const [way, read] of Object.entries(ways)) {
        seen[way] = (await read!(readers.get(name)!, REFS)).sort();
      }
      const expected = [...seenBy[name]!].sort();
      expect(seen).toEqual(
        Object.fromEntries(Object.keys(ways).map(way => [way, expected])),
      );
    },
  );
});

it('conditions that the catalog cannot apply are warned of at the start, before a question', async () => {
  const { level, message } = await backend.logs.waitFor('cannot be applied');
  expect(`${level} ${message}`).toBe(
    'warn permission.policyRouter.sources.misspelt.rules[0]: these conditions cannot be applied, so what they decide is denied: plugin "catalog" has no rule "HAS_LABLE" for resource type "catalog-entity"',
  );
  expect(
    backend.traces.filter(({ sources }) =>
      sources.some(({ source }) => source === 'misspelt'),
    ),
  ).toEqual([]);
});

it('no source failed', () => {
  const failures = backend.traces.flatMap(({ failure, sources }) =>
    [failure, ...sources.map(source => source.failure)].filter(Boolean),
  );
  expect(failures).toEqual([]);
});
