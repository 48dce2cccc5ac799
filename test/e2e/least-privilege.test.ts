/**
 * config/least-privilege.yaml with a real catalog and a real scaffolder, used as its header
 * describes: who may do what, for every permission that the two plugins publish.
 */
import { readFileSync } from 'node:fs';
import type { Permission } from '@backstage/plugin-permission-common';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import { catalogNames } from '../../dev/checks';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { platformTeamModule } from '../fixtures/hosting/platform-team';
import { allIngested } from '../support/ingestion';
import { policyRouter, table } from '../support/least-privilege';
import { startScaffolderBackend } from '../support/scaffolder';
import { readTask, ScaffolderClient } from '../support/scaffolder-client';
import { until } from '../support/until';
import { signInStranger, strangersAuthModule } from '../support/strangers';

const VALUES = { message: 'hello', approval: 'given' };
const METADATA = '.well-known/backstage/permissions/metadata';

type Action = 'create' | 'read' | 'update' | 'delete';

const onResource = (
  name: string,
  resourceType: string,
  resourceRef: string,
  action?: Action,
): Question => ({
  permission: {
    type: 'resource',
    name,
    attributes: action ? { action } : {},
    resourceType,
  },
  resourceRef,
});

/** Calls the catalog's API as the frontend does; returns the status. */
async function catalog(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<number> {
  const response = await fetch(`${url}/api/catalog/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  await response.arrayBuffer();
  return response.status;
}

/** The rows of the table: permission, owner, others, members of `bypass`. */
const documented = (): string[][] =>
  [...readFileSync('docs/ownership.md', 'utf8').matchAll(/^\| `.*(ALLOW|DENY).*$/gm)]
    .map(([line]) => line.replaceAll('`', '').split('|').slice(1, -1))
    .map(cells => cells.map(cell => cell.trim()));

/** What the router itself has to say against its config. */
const warnings = ({ logs }: RunningBackend): string[] =>
  logs.lines
    .filter(({ level, meta }) => level === 'warn' && meta.plugin === 'permission')
    .map(({ message }) => message);

describe('the least-privilege table', () => {
  let backend: RunningBackend;
  let olivia: ScaffolderClient;
  let nolan: ScaffolderClient;
  let petra: ScaffolderClient;
  let published: readonly Permission[];
  /** A task that olivia created. */
  let task: string;

  beforeAll(async () => {
    backend = await startScaffolderBackend(policyRouter);
    const signIn = async (name: string): Promise<ScaffolderClient> =>
      new ScaffolderClient(backend.url, await backend.signIn(name));
    olivia = await signIn('olivia');
    nolan = await signIn('nolan');
    petra = await signIn('petra');
    await allIngested(backend.url, petra.token);
    await petra.templateIsIngested();
    task = (await olivia.run(VALUES)).id;
    const lists = await Promise.all(
      ['catalog', 'scaffolder'].map(async plugin => {
        const response = await fetch(`${backend.url}/api/${plugin}/${METADATA}`, {
          headers: { authorization: `Bearer ${petra.token}` },
        });
        return ((await response.json()) as { permissions: Permission[] }).permissions;
      }),
    );
    published = lists.flat();
  }, 120_000);

  afterAll(() => backend?.stop());

  const RESOURCES: Readonly<Record<string, () => string>> = {
    'catalog-entity': () => 'component:default/payments-api',
    'scaffolder-task': () => task,
    'scaffolder-template': () => 'template:default/new-service',
    'scaffolder-action': () => 'debug:log',
  };
  const questionOf = (permission: Permission): Question =>
    permission.type === 'resource'
      ? { permission, resourceRef: RESOURCES[permission.resourceType]!() }
      : { permission };

  /** The results for the owner of payments-api and of the task, for a non-owner, and for the platform team. */
  async function resultsOf(questions: readonly Question[]): Promise<string[][]> {
    const [owner, stranger, platform] = await Promise.all(
      [olivia, nolan, petra].map(({ token }) =>
        authorize(backend.url, token, questions),
      ),
    );
    return questions.map((_question, index) => [
      owner!.results[index]!,
      stranger!.results[index]!,
      platform!.results[index]!,
    ]);
  }

  it('starts without a warning and logs that unrouted permissions are denied', async () => {
    const { message } = await backend.logs.waitFor(
      'The policy router is the permission policy',
    );
    expect(message).toContain(
      '12 routes, 2 sources (allow, ownership). A permission no route matches gets DENY.',
    );
    expect(warnings(backend)).toEqual([]);
  });

  it('is tested with every permission that the catalog exports', () => {
    const names = published.map(({ name }) => name);
    for (const { name } of catalogPermissions) expect(names).toContain(name);
    expect(names.filter(name => name.startsWith('scaffolder.'))).toHaveLength(8);
  });

  it('decides for owners, others and the platform team as docs/ownership.md says', async () => {
    const results = await resultsOf(published.map(questionOf));
    const rows = published.map(({ name }, index) => [name, ...results[index]!]);
    expect(rows.sort()).toEqual(documented());
  });

  it('denies every permission without a row', async () => {
    const named = table.routes.map(({ prefix }) => prefix);
    const others = published.filter(({ name }) => !named.includes(name));
    const results = await resultsOf(others.map(questionOf));
    expect(results).toEqual(others.map(() => ['DENY', 'DENY', 'DENY']));
    expect(others.length).toBeGreaterThanOrEqual(9);
  });

  it.each<[what: string, question: () => Question]>([
    [
      'an update of an owned entity that has no row',
      () => onEntity('catalog.entity.transfer', 'update'),
    ],
    [
      'a permission on an owned entity without an action',
      () =>
        onResource(
          'catalog.entity.x',
          'catalog-entity',
          'component:default/payments-api',
        ),
    ],
    [
      "a deletion of the user's own task that has no row",
      () => onResource('scaffolder.task.delete', 'scaffolder-task', task, 'delete'),
    ],
    ['a write of another plugin', () => basic('billing.invoice.create', 'create')],
    ['a permission of another plugin without an action', () => basic('devtools.run')],
    ['a permission with an empty name', () => basic('')],
  ])('denies %s, to everybody', async (_what, question) => {
    expect(await resultsOf([question()])).toEqual([['DENY', 'DENY', 'DENY']]);
  });

  it('decides a permission asked by name as it is declared', async () => {
    const byName = basic('catalog.entity.delete');
    await until(async () => {
      await authorize(backend.url, olivia.token, [byName]);
      return backend.traces.at(-1)?.declared === 'completed';
    }, 'it is known what the catalog declares');
    // Owners may delete some entities only.
    expect(await resultsOf([byName])).toEqual([['DENY', 'DENY', 'ALLOW']]);
  });

  it('denies reads of other plugins', async () => {
    const reads = [
      basic('devtools.config', 'read'),
      basic('devtools.administer', 'read'),
      basic('some.secret.read', 'read'),
      onResource('billing.invoice.read', 'billing-invoice', 'invoice-1', 'read'),
    ];
    expect(await resultsOf(reads)).toEqual(reads.map(() => ['DENY', 'DENY', 'DENY']));
  });

  it('allows owners the catalog.entity.update that guides mention', async () => {
    const update = onEntity('catalog.entity.update', 'update');
    expect(await resultsOf([update])).toEqual([['ALLOW', 'DENY', 'ALLOW']]);
  });

  it('shows the whole catalog to everybody', async () => {
    const names = ['payments-api', 'payments-ledger', 'payments-vault', 'search-ui'];
    for (const { token } of [olivia, nolan, petra]) {
      expect(await catalogNames(backend.url, token)).toEqual(names);
      expect(
        await catalog(
          backend.url,
          token,
          'GET',
          'entities/by-name/component/default/payments-ledger',
        ),
      ).toBe(200);
    }
  });

  it('refreshes for the owner and the platform', async () => {
    const refresh = ({ token }: ScaffolderClient): Promise<number> =>
      catalog(backend.url, token, 'POST', 'refresh', {
        entityRef: 'component:default/payments-api',
      });
    expect(await refresh(olivia)).toBe(200);
    expect(await refresh(nolan)).toBe(403);
    expect(await refresh(petra)).toBe(200);
  });

  it('deletes for the owner and the platform', async () => {
    const deletion = async ({ token }: ScaffolderClient, name: string) => {
      const uid = await uidOf(name);
      return catalog(backend.url, token, 'DELETE', `entities/by-uid/${uid}`);
    };
    expect(await deletion(nolan, 'payments-vault')).toBe(403);
    expect(await deletion(olivia, 'search-ui')).toBe(403);
    expect(await deletion(olivia, 'payments-vault')).toBe(204);
    expect(await deletion(petra, 'search-ui')).toBe(204);
  });

  async function uidOf(name: string): Promise<string> {
    const response = await fetch(
      `${backend.url}/api/catalog/entities/by-name/component/default/${name}`,
      { headers: { authorization: `Bearer ${petra.token}` } },
    );
    return ((await response.json()) as { metadata: { uid: string } }).metadata.uid;
  }

  it('lets nobody register or unregister, not even the platform team', async () => {
    const location = { type: 'url', target: 'https://example.com/a.yaml' };
    const analyzed = { location };
    const entity = { apiVersion: 'a/v1', kind: 'Component', metadata: { name: 'a' } };
    const validated = { entity, location: 'url:https://example.com/a.yaml' };
    const call = (method: string, path: string, body?: object): Promise<number> =>
      catalog(backend.url, petra.token, method, path, body);
    expect(await call('POST', 'locations', location)).toBe(403);
    expect(await call('POST', 'locations?dryRun=true', location)).toBe(403);
    expect(await call('DELETE', 'locations/00000000-0000-0000-0000-000000000000')).toBe(
      403,
    );
    expect(await call('POST', 'analyze-location', analyzed)).toBe(403);
    expect(await call('POST', 'validate-entity', validated)).toBe(403);
  });

  it('lets everybody run a template, and only its creator see and cancel a task', async () => {
    const run = await nolan.run(VALUES);
    expect(run).toMatchObject({
      status: 'completed',
      finished: ['untagged', 'red', 'blue', 'purple'],
    });
    const tasks = [task, run.id];
    const seenBy = async (who: ScaffolderClient): Promise<string[]> => {
      const { list, single, authorize: checked } = await who.readable(tasks);
      expect([single, checked]).toEqual([list, list]);
      return list!;
    };
    expect(await seenBy(olivia)).toEqual([task]);
    expect(await seenBy(nolan)).toEqual([run.id]);
    expect(await seenBy(petra)).toEqual(tasks);
    expect(await nolan.cancel(task)).toBe(403);
    expect(await olivia.cancel(task)).toBe(200);
    expect(await petra.cancel(run.id)).toBe(200);
  });

  it('does not run steps that the caller sends', async () => {
    const template = {
      apiVersion: 'scaffolder.backstage.io/v1beta3',
      kind: 'Template',
      metadata: { name: 'of-the-caller' },
      spec: { type: 'service', steps: [{ id: 'log', action: 'debug:log' }] },
    };
    const body = { template, values: {}, directoryContents: [] };
    expect(await petra.status('/v2/dry-run', body)).toBe(403);
  });
});

const REGISTRATION = ['create', 'delete'] as const;
const questionsOfRegistration = REGISTRATION.map(verb =>
  basic(`catalog.location.${verb}`, verb),
);
/** Rows that let this source decide who may register and unregister. */
const registrationBy = (source: string): object[] =>
  REGISTRATION.map(verb => ({
    prefix: `catalog.location.${verb}`,
    sources: [source],
  }));

describe('the least-privilege table with a source of its own for the platform team', () => {
  let backend: RunningBackend;

  beforeAll(async () => {
    backend = await startBackend({
      features: [platformTeamModule],
      policyRouter: {
        ...table,
        sources: { ...policyRouter.sources, 'platform-team': { type: 'hosted' } },
        routes: [...table.routes, ...registrationBy('platform-team')],
      },
    });
  });

  afterAll(() => backend?.stop());

  const register = (token: string): Promise<number> =>
    catalog(backend.url, token, 'POST', 'locations', {
      type: 'url',
      target: 'https://example.com/a.yaml',
    });

  const registered = async (token: string): Promise<string[]> => {
    const response = await fetch(`${backend.url}/api/catalog/locations`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const locations = (await response.json()) as Array<{ data: { id: string } }>;
    return locations.map(({ data }) => `locations/${data.id}`);
  };

  it('lets the platform team register and unregister, and nobody else', async () => {
    const [olivia, petra] = [
      await backend.signIn('olivia'),
      await backend.signIn('petra'),
    ];
    expect(await register(olivia)).toBe(403);
    expect(await register(petra)).toBe(201);
    const [location] = await registered(olivia);
    expect(await catalog(backend.url, olivia, 'DELETE', location!)).toBe(403);
    expect(await catalog(backend.url, petra, 'DELETE', location!)).toBe(204);
    expect(await registered(petra)).toEqual([]);
  });

  it('starts without a warning', () => {
    expect(warnings(backend)).toEqual([]);
  });
});

describe('the least-privilege table with strangers', () => {
  let backend: RunningBackend;
  let token: string;
  const settings = { sources: policyRouter.sources };

  beforeAll(async () => {
    backend = await startBackend({
      configFiles: ['anonymous', 'strangers'].map(
        name => `test/fixtures/app-config.${name}.yaml`,
      ),
      features: [strangersAuthModule],
      policyRouter: { ...settings, ...table },
    });
    token = await backend.signIn('nolan');
    await allIngested(backend.url, token);
  });

  afterAll(() => backend?.stop());

  const reads = [
    onEntity('catalog.entity.read', 'read'),
    basic('catalog.location.read', 'read'),
    onResource('scaffolder.template.step.read', 'scaffolder-template', 'a', 'read'),
    onResource(
      'scaffolder.template.parameter.read',
      'scaffolder-template',
      'a',
      'read',
    ),
  ];
  const other = [
    basic('devtools.config', 'read'),
    basic('catalog.ingestion.read', 'read'),
  ];
  const writes = [
    onEntity('catalog.entity.delete', 'delete'),
    onEntity('catalog.entity.refresh', 'update'),
    basic('catalog.entity.create', 'create'),
    basic('billing.invoice.create', 'create'),
  ];

  it('allows the reads that it names and no others', async () => {
    const { results } = await authorize(backend.url, token, [...reads, ...other]);
    expect(results).toEqual([...reads.map(() => 'ALLOW'), ...other.map(() => 'DENY')]);
    expect(warnings(backend)).toEqual([]);
  });

  it('lets the platform register once a Rego policy is asked', async () => {
    const opa = {
      type: 'opa-wasm',
      bundle: './config/bundle.tar.gz',
      entrypoint: 'backstage_policy/decision',
    };
    const since = backend.logs.lines.length;
    await backend.writeConfig({
      ...settings,
      ...table,
      sources: { ...settings.sources, opa },
      routes: [...table.routes, ...registrationBy('opa')],
    });
    await backend.logs.waitFor('The changed config is in use', since);
    const petra = await backend.signIn('petra');
    const { results } = await authorize(backend.url, petra, questionsOfRegistration);
    expect(results).toEqual(['ALLOW', 'ALLOW']);
    expect(
      (await authorize(backend.url, token, questionsOfRegistration)).results,
    ).toEqual(['DENY', 'DENY']);
  });

  it('denies everything to a request without a user', async () => {
    const questions = [
      ...reads,
      ...other,
      ...writes,
      basic('scaffolder.task.create', 'create'),
    ];
    const { results } = await authorize(backend.url, undefined, questions);
    expect(results).toEqual(questions.map(() => 'DENY'));
  });

  describe('with anonymous: evaluate', () => {
    const open = [...reads, basic('scaffolder.task.create', 'create')];

    beforeAll(async () => {
      const since = backend.logs.lines.length;
      await backend.writeConfig({ ...settings, ...table, anonymous: 'evaluate' });
      await backend.logs.waitFor('The changed config is in use', since);
    });

    it('allows a request without a user what everybody may do', async () => {
      const closed = [...other, ...writes, readTask('a-task')];
      const { results } = await authorize(backend.url, undefined, [...open, ...closed]);
      expect(results).toEqual([
        ...open.map(() => 'ALLOW'),
        ...closed.map(() => 'DENY'),
      ]);
    });

    it.each(['nobody', 'newcomer', 'guest'] as const)(
      'allows the same to %s, who owns nothing',
      async name => {
        const stranger = await signInStranger(backend.url, name);
        const { results } = await authorize(backend.url, stranger, [
          ...open,
          ...writes,
        ]);
        expect(results).toEqual([
          ...open.map(() => 'ALLOW'),
          ...writes.map(() => 'DENY'),
        ]);
        expect(await catalogNames(backend.url, stranger)).toHaveLength(4);
      },
    );
  });
});
