/** `kinds` of the ownership source on the real catalog: lists, single checks and writes agree. */
import type { Entity } from '@backstage/catalog-model';
import { generateEntities, VIEWER } from '../fixtures/catalog-entities';
import { ownersOf, refOf } from '../properties/reference/catalog-rules';
import { SQLITE } from '../support/app-config';
import { authorize, onEntity } from '../support/backend';
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

const ENTITIES = generateEntities(20260921, 120);
const REFS = ENTITIES.map(refOf);

const isOwned = (entity: Entity): boolean =>
  ownersOf(entity).some(owner => VIEWER.ownershipEntityRefs.includes(owner));
const ownedOf = (...kinds: string[]): string[] =>
  ENTITIES.filter(each => isOwned(each) && kinds.includes(each.kind)).map(refOf);

const ALL = ['Component', 'API', 'Resource', 'System', 'Domain'];
const CASES = [
  { source: 'any-kind', config: {}, owned: ownedOf(...ALL) },
  {
    source: 'components',
    config: { kinds: ['Component'] },
    owned: ownedOf('Component'),
  },
  {
    source: 'three-kinds',
    config: { kinds: ['aPI', 'resource', 'SYSTEM'] },
    owned: ownedOf('API', 'Resource', 'System'),
  },
  { source: 'unowned-kinds', config: { kinds: ['User', 'Group'] }, owned: [] },
  {
    source: 'bypass',
    config: { kinds: ['Component'], bypass: ['group:platform/core'] },
    owned: REFS,
  },
];

let backend: CatalogBackend;
let reader: Reader;
let uids: ReadonlyMap<string, string>;

beforeAll(async () => {
  backend = await startCatalogBackend({
    entities: ENTITIES,
    database: SQLITE,
    sources: Object.fromEntries(
      CASES.map(({ source, config }) => [source, { type: 'ownership', ...config }]),
    ),
  });
  reader = {
    url: backend.url,
    token: await backend.signIn(VIEWER.name),
    refByName: new Map(ENTITIES.map(each => [each.metadata.name, refOf(each)])),
  };
  const found = await ingested(backend, reader.token, ENTITIES.length);
  uids = new Map(found.map(each => [refOf(each), each.metadata.uid!]));
}, 120_000);

afterAll(() => backend?.stop());

describe('the owned entities of the test catalog', () => {
  it('include every kind that can be owned', () => {
    for (const kind of ALL) expect(ownedOf(kind)).not.toEqual([]);
  });
});

describe.each(CASES)('ownership by $source', ({ source, owned }) => {
  beforeAll(() => backend.use({ sources: [source] }));

  const sorted = (refs: readonly string[]): string[] => [...refs].sort();

  it.each(Object.entries({ ...LISTS, 'by-refs': byRefs, checks, checksOneByOne }))(
    'shows through %s the owned entities of these kinds',
    async (_way, read) => {
      expect(sorted(await read(reader, REFS))).toEqual(sorted(owned));
    },
  );
});

describe('ownership of components', () => {
  const [component] = ownedOf('Component') as [string];
  const [resource] = ownedOf('Resource') as [string];
  const strange = refOf(
    ENTITIES.find(each => each.kind === 'Component' && !isOwned(each))!,
  );

  beforeAll(() => backend.use({ sources: ['components'] }));

  const refresh = (entityRef: string): Promise<number> =>
    call('POST', 'refresh', { entityRef });
  const remove = (ref: string): Promise<number> =>
    call('DELETE', `entities/by-uid/${uids.get(ref)}`);

  async function call(method: string, path: string, body?: object): Promise<number> {
    const response = await fetch(`${backend.url}/api/catalog/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${reader.token}`,
        'content-type': 'application/json',
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    await response.arrayBuffer();
    return response.status;
  }

  it('decides each write in a batch by itself', async () => {
    const { results } = await authorize(backend.url, reader.token, [
      onEntity('catalog.entity.delete', 'delete', component),
      onEntity('catalog.entity.delete', 'delete', resource),
      onEntity('catalog.entity.delete', 'delete', strange),
      onEntity('catalog.entity.refresh', 'update', component),
      onEntity('catalog.entity.refresh', 'update', resource),
    ]);
    expect(results).toEqual(['ALLOW', 'DENY', 'DENY', 'ALLOW', 'DENY']);
  });

  it('allows refreshing only an owned entity of the kind', async () => {
    expect(await refresh(component)).toBe(200);
    expect(await refresh(resource)).toBe(403);
    expect(await refresh(strange)).toBe(403);
  });

  it('allows deleting only an owned entity of the kind', async () => {
    expect(await remove(resource)).toBe(403);
    expect(await remove(strange)).toBe(403);
    expect(await remove(component)).toBe(204);
    await backend.use({ sources: ['allow'] });
    const left = await LISTS.entities!(reader, REFS);
    expect(REFS.filter(ref => !left.includes(ref))).toEqual([component]);
  });
});
