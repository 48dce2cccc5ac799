/** The symptoms under Troubleshooting in docs/ownership.md, each on a real backend. */
import { resolve } from 'node:path';
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import { catalogNames } from '../../dev/checks';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { allIngested } from '../support/ingestion';
import { until } from '../support/until';

const OWNED = { prefix: 'catalog.entity', sources: ['ownership'] };
const READS = { prefix: '', actions: ['read'], sources: ['allow'] };

const policyRouter = (routes: readonly object[], resources?: object): object => ({
  fallback: 'deny',
  sources: {
    ownership: {
      type: 'ownership',
      bypass: ['group:default/platform'],
      ...(resources ? { resources } : {}),
    },
  },
  routes,
});

let backend: RunningBackend;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  backend = await startBackend({
    policyRouter: policyRouter([OWNED, READS]),
    config: {
      catalog: {
        processingInterval: { seconds: 1 },
        rules: [{ allow: ['Component', 'Group', 'User'] }],
        locations: [{ type: 'file', target: resolve('dev/catalog/entities.yaml') }],
      },
    },
    features: [scaffolderPlugin],
  });
  for (const name of ['olivia', 'nolan', 'petra'])
    tokens[name] = await backend.signIn(name);
  await use([READS]);
  await allIngested(backend.url, tokens.petra!);
}, 60_000);

afterAll(() => backend?.stop());

const ENTITY = 'catalog/entities/by-name/component/default/payments-api';

async function use(routes: readonly object[], resources?: object): Promise<void> {
  const since = backend.logs.lines.length;
  await backend.writeConfig(policyRouter(routes, resources));
  await backend.logs.waitFor('The changed config is in use', since);
}

async function call(name: string, path: string, method = 'GET') {
  const response = await fetch(`${backend.url}/api/${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[name]}` },
  });
  const body = await response.text();
  return { status: response.status, body };
}

const deletion = onEntity('catalog.entity.delete', 'delete');

async function asked(name: string, question = deletion) {
  const { results } = await authorize(backend.url, tokens[name], [question]);
  const { route, reason } = backend.traces.at(-1)!;
  return { result: results[0], route, reason };
}

describe('"every request is allowed" is explained', () => {
  it('by the route, if a broad row matches', async () => {
    await use([
      { ...OWNED, actions: ['update'] },
      { prefix: '', sources: ['allow'] },
    ]);
    expect(await asked('nolan')).toMatchObject({
      result: 'ALLOW',
      route: "'*'",
    });
  });

  it('by the reason, if the user is in bypass', async () => {
    await use([OWNED]);
    expect(await asked('petra')).toEqual({
      result: 'ALLOW',
      route: "'catalog.entity'",
      reason: 'bypass: member of group:default/platform',
    });
  });
});

describe('"an owner is denied" is explained', () => {
  it('by the reason, if the permission is basic', async () => {
    await use([{ prefix: 'catalog', sources: ['ownership'] }]);
    const unregister = basic('catalog.location.delete', 'delete');
    expect((await asked('olivia', unregister)).result).toBe('DENY');
    expect(backend.traces.at(-1)).toMatchObject({
      reason: "no source was applicable: the route's default is deny",
      sources: [{ reason: 'ownership does not decide basic permissions' }],
    });
  });

  it('by a warning, if the plugin does not have the rule; the batch survives', async () => {
    const rule = { pluginId: 'catalog', rule: 'IS_MINE', param: 'claims' };
    await use([OWNED, READS], { 'catalog-entity': rule });
    const since = backend.logs.lines.length;
    const { status, results } = await authorize(backend.url, tokens.olivia, [
      deletion,
      basic('other.read', 'read'),
    ]);
    expect({ status, results }).toEqual({ status: 200, results: ['DENY', 'ALLOW'] });
    const line = await backend.logs.waitFor('[UNKNOWN_RULE]', since);
    expect(line.level).toBe('warn');
  });
});

describe('lists', () => {
  it('include what the user cannot edit if everybody may read', async () => {
    await use([{ ...OWNED, actions: ['update', 'delete'] }, READS]);
    expect(await catalogNames(backend.url, tokens.olivia!)).toContain('search-ui');
    const other = 'component:default/search-ui';
    const { result } = await asked(
      'olivia',
      onEntity('catalog.entity.delete', 'delete', other),
    );
    expect(result).toBe('DENY');
  });

  it('include only what the user owns if ownership decides reading', async () => {
    await use([{ prefix: 'catalog.entity.read', sources: ['ownership'] }]);
    expect(await catalogNames(backend.url, tokens.nolan!)).toEqual(['search-ui']);
    const own = ENTITY.replace('payments-api', 'search-ui');
    expect((await call('nolan', own)).status).toBe(200);
    expect((await call('nolan', ENTITY)).status).toBe(404);
  });
});

describe('browsing', () => {
  beforeAll(() => use([{ ...OWNED, actions: ['update', 'delete'] }]));

  it.each([
    ['catalog/entities', 200, '[]'],
    ['catalog/entities/by-query', 200, '{"items":[],"totalItems":0,"pageInfo":{}}'],
    ['catalog/locations', 200, '[]'],
    [ENTITY, 404, undefined],
    [`${ENTITY}/ancestry`, 403, undefined],
    ['scaffolder/v2/tasks', 403, undefined],
  ])('%s returns %s if no row allows reading', async (path, status, body) => {
    const answer = await call('olivia', path);
    expect(answer.status).toBe(status);
    if (body !== undefined) expect(answer.body).toBe(body);
    expect(backend.traces.at(-1)).toMatchObject({
      route: 'fallback',
      reason: 'no route matches: the fallback is deny',
    });
  });
});

describe('deletes', () => {
  it('fall to another row if the row names only update', async () => {
    await use([{ ...OWNED, actions: ['update'] }, READS]);
    expect(await asked('olivia')).toMatchObject({ result: 'DENY', route: 'fallback' });
  });

  it('do not last while the location still names the entity', async () => {
    await use([{ ...OWNED, actions: ['update', 'delete'] }, READS]);
    const uidNow = async (): Promise<string | undefined> => {
      const { status, body } = await call('olivia', ENTITY);
      if (status === 404) return undefined;
      return (JSON.parse(body) as { metadata: { uid: string } }).metadata.uid;
    };
    const before = await uidNow();
    const path = `catalog/entities/by-uid/${before}`;
    expect((await call('olivia', path, 'DELETE')).status).toBe(204);
    let after: string | undefined;
    await until(
      async () => (after = await uidNow()) !== undefined,
      'the entity was ingested again',
    );
    expect(after).toEqual(expect.any(String));
    expect(after).not.toBe(before);
  });
});
