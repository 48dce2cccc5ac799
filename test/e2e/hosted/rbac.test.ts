/** The community RBAC plugin, unmodified, as a source together with OPA and ownership. */
import { appendFile, cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import rbacPlugin from '@backstage-community/plugin-rbac-backend';
import { stringify } from 'yaml';
import { hostPolicy } from '../../../src/index';
import { rbacProviderModule } from '../../fixtures/rbac/provider';
import { refOf } from '../../properties/reference/catalog-rules';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  temporaryFolder,
  type Question,
  type RunningBackend,
} from '../../support/backend';
import { ingested } from '../../support/catalog-backend';
import { checks, LISTS } from '../../support/catalog-reads';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { startPostgres } from '../../support/postgres';
import { describeWithPostgres } from '../../support/with-postgres';
import { SQLITE } from '../../support/app-config';
import { endingRbac, untilGroupHasMembers } from '../../support/rbac';
import { verdictsByPermission } from '../../support/verdicts-by-permission';
import { until } from '../../support/until';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

interface Database {
  /** The value of `backend.database`. */
  readonly config: object;
  stop(): Promise<void>;
}

const inMemory: Database = {
  config: SQLITE,
  stop: async () => {},
};

/** The plugin reads host and port itself and does not accept a URL. */
async function inPostgres(): Promise<Database> {
  const database = await startPostgres();
  const { connection } = database.config as { connection: string | object };
  const parts =
    typeof connection === 'string' ? partsOf(new URL(connection)) : connection;
  return {
    config: { ...database.config, connection: { port: 5432, ...parts } },
    stop: () => database.stop(),
  };
}

const partsOf = ({ hostname, port, username, password }: URL): object => ({
  host: hostname,
  port: Number(port || 5432),
  user: decodeURIComponent(username),
  ...(password ? { password: decodeURIComponent(password) } : {}),
});

/** Without the routes to `policy`, the plugin's own permissions get the fallback. */
const table = (opaUrl: string, routeTo: { policy: boolean }): object => ({
  fallback: 'deny',
  sources: {
    rbac: { type: 'hosted' },
    opa: {
      type: 'opa',
      baseUrl: opaUrl,
      entrypoint: 'backstage_policy/decision',
    },
    owners: { type: 'ownership' },
  },
  routes: [
    { prefix: 'invoices', sources: ['rbac'] },
    { prefix: 'catalog.entity.read', sources: ['rbac'] },
    { prefix: 'catalog.entity.delete', sources: ['opa'] },
    { prefix: 'catalog.entity.refresh', sources: ['owners'] },
    ...(routeTo.policy
      ? [
          { prefix: 'policy', sources: ['rbac'] },
          { prefix: 'policy.entity.create', sources: ['rbac', 'opa'] },
        ]
      : []),
  ],
});

/** Writes the plugin's config for the policy files in this folder; returns its path. */
async function rbacConfigIn(folder: string): Promise<string> {
  const file = join(folder, 'app-config.yaml');
  const rbac = {
    'policies-csv-file': join(folder, 'policies.csv'),
    conditionalPoliciesFile: join(folder, 'conditions.yaml'),
    policyFileReload: true,
    admin: { superUsers: [{ name: 'user:default/petra' }] },
    pluginsWithPermission: ['catalog'],
  };
  await writeFile(file, stringify({ permission: { rbac } }));
  return file;
}

function decides(startDatabase: () => Promise<Database>): void {
  let database: Database;
  let opa: OpaServer;
  let backend: RunningBackend;
  let folder: string;
  let olivia: string;
  let nolan: string;
  let petra: string;
  let refs: string[];
  let refByName: Map<string, string>;

  beforeAll(async () => {
    [opa, database, folder] = await Promise.all([
      startOpa({ binary: requireOpa(), policies: ['config/policies/backstage.rego'] }),
      startDatabase(),
      temporaryFolder(),
    ]);
    await cp('test/fixtures/rbac', folder, { recursive: true });
    const target = (file: string): object => ({ type: 'file', target: file });
    backend = await endingRbac(async () =>
      startBackend({
        features: [hostPolicy('rbac', rbacPlugin), rbacProviderModule],
        config: {
          backend: { database: database.config },
          catalog: {
            rules: [{ allow: ['Component', 'Group', 'User'] }],
            locations: [
              target(join(__dirname, '../../../dev/catalog/entities.yaml')),
              target(join(folder, 'entities.yaml')),
            ],
          },
        },
        configFiles: [await rbacConfigIn(folder)],
        policyRouter: table(opa.url, { policy: true }),
      }),
    );
    [olivia, nolan, petra] = [
      await backend.signIn('olivia'),
      await backend.signIn('nolan'),
      await backend.signIn('petra'),
    ];
    // The entities of the two files, and the files themselves.
    const entities = await ingested(backend, petra, 13);
    refs = entities.map(refOf).sort();
    refByName = new Map(entities.map(each => [each.metadata.name, refOf(each)]));
    await untilGroupHasMembers(backend, petra, 'payments');
  }, 120_000);

  afterAll(async () => {
    await backend?.stop();
    await database?.stop();
    await opa?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const said = (name: string): string[] | undefined =>
    verdictsByPermission(backend.traces)[name];

  async function resultsOf(token: string, ...questions: Question[]): Promise<string[]> {
    const { status, results } = await authorize(backend.url, token, questions);
    expect(status).toBe(200);
    return [...results];
  }

  const isAllowed = async (token: string, question: Question): Promise<boolean> =>
    (await resultsOf(token, question))[0] === 'ALLOW';

  /** What a user may read, through every list of the catalog and through single checks. */
  async function readBy(token: string): Promise<Record<string, string[]>> {
    const reader = { url: backend.url, token, refByName };
    const read = Object.entries({ ...LISTS, checks }).map(
      async ([way, reading]) => [way, (await reading(reader, refs)).sort()] as const,
    );
    return Object.fromEntries(await Promise.all(read));
  }

  const everyWay = (expected: readonly string[]): Record<string, readonly string[]> =>
    Object.fromEntries([...Object.keys(LISTS), 'checks'].map(way => [way, expected]));

  /** Calls the plugin's REST API. */
  async function rest(
    token: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${backend.url}/api/permission/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? undefined : JSON.parse(text),
    };
  }

  const OF_PAYMENTS = [
    'component:default/payments-api',
    'component:default/payments-ledger',
    'component:default/payments-vault',
  ];
  const GROUPS = [
    'group:default/payments',
    'group:default/platform',
    'group:default/search',
  ];
  const OF_NOLAN = 'component:default/nolans-notes';

  const readInvoices = basic('invoices.read', 'read');
  const payInvoices = basic('invoices.pay', 'update');

  it('decides by the roles and policies in its file', async () => {
    const asked = [readInvoices, basic('invoices.void', 'delete'), payInvoices];
    expect(await resultsOf(olivia, ...asked)).toEqual(['ALLOW', 'DENY', 'DENY']);
    expect(await resultsOf(nolan, ...asked)).toEqual(['DENY', 'DENY', 'DENY']);
    expect(said('invoices.void')).toEqual(["'invoices'", 'rbac: DENY']);
  });

  it('allows its super users everything that is routed to it and nothing else', async () => {
    const asked = [payInvoices, basic('invoices.unheard.of'), basic('payroll.read')];
    expect(await resultsOf(petra, ...asked)).toEqual(['ALLOW', 'ALLOW', 'DENY']);
    expect(said('payroll.read')).toEqual(['fallback']);
  });

  it('leaves what is routed to OPA and ownership to them', async () => {
    const vault = 'component:default/payments-vault';
    const ui = 'component:default/search-ui';
    expect(
      await resultsOf(
        olivia,
        onEntity('catalog.entity.delete', 'delete'),
        onEntity('catalog.entity.delete', 'delete', vault),
        onEntity('catalog.entity.refresh', 'update', vault),
        onEntity('catalog.entity.refresh', 'update', ui),
      ),
    ).toEqual(['ALLOW', 'DENY', 'ALLOW', 'DENY']);
    expect(said('catalog.entity.delete')).toContain('opa: CONDITIONAL');
    expect(said('catalog.entity.refresh')).toContain('owners: CONDITIONAL');
  });

  it('allows the same in lists and in single checks by its conditions', async () => {
    expect(await readBy(olivia)).toEqual(everyWay([...OF_PAYMENTS, ...GROUPS]));
    expect(await readBy(nolan)).toEqual(everyWay([OF_NOLAN]));
    expect(await readBy(petra)).toEqual(everyWay(refs));
    expect(said('catalog.entity.read')).toContain('rbac: ALLOW');
    const ofNolan = backend.traces.findLast(
      ({ user }) => user === 'user:default/nolan',
    );
    const params = { claims: ['user:default/nolan'] };
    const owns = { rule: 'IS_ENTITY_OWNER', resourceType: 'catalog-entity', params };
    expect(ofNolan?.conditions).toEqual({ anyOf: [owns] });
  });

  describe('its REST API', () => {
    const role = 'role:default/clerk';
    const policies = [
      {
        entityReference: role,
        permission: 'invoices.pay',
        policy: 'update',
        effect: 'allow',
      },
    ];

    it('lists roles and policies only for users who may read them', async () => {
      const roles = await rest(petra, 'GET', 'roles');
      expect(roles.status).toBe(200);
      expect(roles.body).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            name: 'role:default/payments',
            memberReferences: ['group:default/payments'],
          }),
        ]),
      );
      expect((await rest(petra, 'GET', 'policies')).body).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            entityReference: 'role:default/payments',
            permission: 'invoices.read',
            effect: 'allow',
          }),
        ]),
      );
      expect((await rest(olivia, 'GET', 'roles')).status).toBe(403);
      expect(said('policy.entity.read')).toContain('rbac: DENY');
    });

    it('changes the next decision', async () => {
      expect(await isAllowed(nolan, payInvoices)).toBe(false);
      const created = await rest(petra, 'POST', 'roles', {
        name: role,
        memberReferences: ['user:default/nolan'],
        metadata: { owner: 'user:default/nolan' },
      });
      expect(created.status).toBe(201);
      expect((await rest(petra, 'POST', 'policies', policies)).status).toBe(201);
      expect(await isAllowed(nolan, payInvoices)).toBe(true);
      const path = 'policies/role/default/clerk';
      expect((await rest(petra, 'DELETE', path, policies)).status).toBe(204);
      expect(await isAllowed(nolan, payInvoices)).toBe(false);
    });

    it('changes the next list', async () => {
      const condition = {
        result: 'CONDITIONAL',
        roleEntityRef: role,
        pluginId: 'catalog',
        resourceType: 'catalog-entity',
        permissionMapping: [{ name: 'catalog.entity.read', action: 'read' }],
        conditions: {
          rule: 'IS_ENTITY_KIND',
          resourceType: 'catalog-entity',
          params: { kinds: ['Group'] },
        },
      };
      const { status, body } = await rest(petra, 'POST', 'roles/conditions', condition);
      expect(status).toBe(201);
      expect(await readBy(nolan)).toEqual(everyWay([OF_NOLAN, ...GROUPS]));
      const { id } = body as { id: number };
      expect((await rest(petra, 'DELETE', `roles/conditions/${id}`)).status).toBe(204);
      expect(await readBy(nolan)).toEqual(everyWay([OF_NOLAN]));
    });

    it("obeys RBAC's own conditions on roles", async () => {
      const { status, body } = await rest(nolan, 'GET', 'roles');
      expect(status).toBe(200);
      expect((body as Array<{ name: string }>).map(({ name }) => name)).toEqual([role]);
      expect(said('policy.entity.read')).toContain('rbac: CONDITIONAL');
    });

    it('is closed to everybody while its permissions are routed elsewhere', async () => {
      const reload = async (routeTo: { policy: boolean }): Promise<void> => {
        const since = backend.logs.lines.length;
        await backend.writeConfig(table(opa.url, routeTo));
        await backend.logs.waitFor('The changed config is in use', since);
      };
      await reload({ policy: false });
      expect((await rest(petra, 'GET', 'roles')).status).toBe(403);
      expect(said('policy.entity.read')).toEqual(['fallback']);
      expect(await isAllowed(petra, payInvoices)).toBe(true);
      await reload({ policy: true });
      expect((await rest(petra, 'GET', 'roles')).status).toBe(200);
    });
  });

  it('may modify its request without other sources seeing that', async () => {
    // Without that permission in its policies, the plugin rewrites the request to another one.
    const asked = basic('policy.entity.create', 'create');
    expect(await resultsOf(nolan, asked)).toEqual(['DENY']);
    expect(said('policy.entity.create')?.slice(1)).toEqual([
      'rbac: ALLOW',
      'opa: DENY',
    ]);
    const [, opaTrace] = backend.traces.at(-1)!.sources;
    expect(opaTrace?.exchange?.input).toMatchObject({
      permission: {
        name: 'policy.entity.create',
        type: 'basic',
        attributes: { action: 'create' },
      },
    });
    expect(backend.traces.at(-1)!.permission).toEqual(asked.permission);
  });

  it('accepts what other modules provide to its extension points', async () => {
    expect(await isAllowed(nolan, basic('invoices.audit', 'read'))).toBe(true);
    expect(await isAllowed(olivia, basic('invoices.audit', 'read'))).toBe(false);
    expect((await rest(petra, 'GET', 'plugins/id')).body).toEqual({
      ids: ['catalog', 'scaffolder'],
    });
  });

  it('reloads its file when that changes', async () => {
    expect(await isAllowed(olivia, payInvoices)).toBe(false);
    const since = backend.logs.lines.length;
    const line = 'p, role:default/payments, invoices.pay, update, allow\n';
    await appendFile(join(folder, 'policies.csv'), line);
    await backend.logs.waitFor('policies.csv has changed', since);
    // It says so before it has read it.
    await until(() => isAllowed(olivia, payInvoices), 'the role was in use');
  });

  it('may take seconds for a batch of a hundred', async () => {
    const hundred = Array.from({ length: 100 }, () => readInvoices);
    const results = await resultsOf(olivia, ...hundred);
    expect(results).toEqual(hundred.map(() => 'ALLOW'));
  });

  it('never failed', () => {
    const failures = backend.traces.flatMap(({ failure, sources }) =>
      [failure, ...sources.map(source => source.failure)].filter(Boolean),
    );
    expect(failures).toEqual([]);
  });
}

describeWithOpa('RBAC', () => {
  describe('in SQLite', () => decides(async () => inMemory));
  describeWithPostgres('in PostgreSQL', () => decides(inPostgres));
});
