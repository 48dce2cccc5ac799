/**
 * Which refs ownership uses, on a real backend, for users who are not in the catalog and for
 * members of a nested group.
 */
import type { Entity } from '@backstage/catalog-model';
import { SQLITE } from '../support/app-config';
import { authorize, onEntity, type Question } from '../support/backend';
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
import { signInStranger, strangersAuthModule } from '../support/strangers';

const entity = (kind: string, name: string, spec: object): Entity => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind,
  metadata: { name },
  spec: JSON.parse(JSON.stringify(spec)) as NonNullable<Entity['spec']>,
});

const component = (name: string, owner: string): Entity =>
  entity('Component', name, { type: 'service', lifecycle: 'production', owner });

const ENTITIES = [
  entity('Group', 'retail', { type: 'unit', children: ['payments'] }),
  entity('Group', 'payments', { type: 'team', children: [] }),
  entity('User', 'olivia', { memberOf: ['payments'] }),
  component('of-the-team', 'group:default/payments'),
  component('of-the-unit', 'group:default/retail'),
  component('of-the-user', 'user:default/olivia'),
  component('of-the-newcomer', 'user:default/newcomer'),
  component('of-nobody-there', 'group:default/gone'),
];
const COMPONENTS = ENTITIES.filter(({ kind }) => kind === 'Component').map(
  ({ metadata }) => `component:default/${metadata.name}`,
);

type Person = 'olivia' | 'newcomer' | 'guest' | 'nobody';

let backend: CatalogBackend;
const tokens = {} as Record<Person, string>;

beforeAll(async () => {
  backend = await startCatalogBackend({
    entities: ENTITIES,
    database: SQLITE,
    sources: { ownership: { type: 'ownership' } },
    configFiles: ['test/fixtures/app-config.strangers.yaml'],
    features: [strangersAuthModule],
  });
  tokens.olivia = await backend.signIn('olivia');
  for (const name of ['newcomer', 'guest', 'nobody'] as const) {
    tokens[name] = await signInStranger(backend.url, name);
  }
  await ingested(backend, tokens.olivia, ENTITIES.length);
  await backend.use({ sources: ['ownership'] });
}, 120_000);

afterAll(() => backend?.stop());

const CASES: ReadonlyArray<{ who: Person; owns: string[]; reason: RegExp }> = [
  // The parents of the user's groups are not among the user's refs.
  { who: 'olivia', owns: ['of-the-team', 'of-the-user'], reason: /allowed to owners/ },
  { who: 'newcomer', owns: ['of-the-newcomer'], reason: /allowed to owners/ },
  { who: 'guest', owns: [], reason: /allowed to owners/ },
  { who: 'nobody', owns: [], reason: /^the user has no ownership refs$/ },
];

describe.each(CASES)('$who', ({ who, owns, reason }) => {
  const owned = owns.map(name => `component:default/${name}`);
  const reader = (): Reader => ({
    url: backend.url,
    token: tokens[who],
    refByName: new Map(COMPONENTS.map(ref => [ref.split('/')[1]!, ref])),
  });

  it.each(Object.entries({ ...LISTS, 'by-refs': byRefs, checks, checksOneByOne }))(
    'sees only what they own through %s',
    async (_way, read) => {
      expect((await read(reader(), COMPONENTS)).sort()).toEqual([...owned].sort());
    },
  );

  it('may delete only what they own', async () => {
    const questions: Question[] = COMPONENTS.map(ref =>
      onEntity('catalog.entity.delete', 'delete', ref),
    );
    const { status, results } = await authorize(backend.url, tokens[who], questions);
    expect(status).toBe(200);
    expect(results).toEqual(
      COMPONENTS.map(ref => (owned.includes(ref) ? 'ALLOW' : 'DENY')),
    );
    expect(backend.traces.at(-1)).toMatchObject({
      user: expect.stringContaining(who) as string,
      reason: expect.stringMatching(reason) as string,
    });
  });

  it('gets 404 for what they do not own', async () => {
    const response = await fetch(
      `${backend.url}/api/catalog/entities/by-name/component/default/of-nobody-there`,
      { headers: { authorization: `Bearer ${tokens[who]}` } },
    );
    expect(response.status).toBe(404);
  });
});
