import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runPolicyRouter, type CliRun } from '../../support/cli';

const POLICY_ROUTER = {
  fallback: 'deny',
  anonymous: 'evaluate',
  sources: {
    ownership: { type: 'ownership', bypass: ['group:default/admins'] },
    opa: {
      type: 'opa',
      baseUrl: 'http://127.0.0.1:8181',
      entrypoint: 'authz/decision',
    },
    rbac: { type: 'hosted' },
  },
  routes: [
    { prefix: 'catalog', sources: ['allow'] },
    { prefix: 'catalog.entity', actions: ['delete'], sources: ['ownership'] },
    { prefix: 'catalog.location', sources: ['opa'] },
    { prefix: 'cluster', sources: ['rbac'] },
  ],
};

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
  writeFileSync(
    join(folder, 'app-config.yaml'),
    stringify({ permission: { policyRouter: POLICY_ROUTER } }),
  );
  writeFileSync(
    join(folder, 'catalog-info.yaml'),
    stringify({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Component',
      metadata: { name: 'website' },
      spec: { type: 'website', owner: 'platform', lifecycle: 'production' },
    }),
  );
});

afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: readonly string[]): Promise<CliRun> =>
  runPolicyRouter(['explain', ...args], { cwd: folder });

const OLIVIA = ['--user', 'user:default/olivia'];
const DELETE = ['--permission', 'catalog.entity.delete'];
const WEBSITE = ['--entity', 'catalog-info.yaml'];
const steady = (text: string): string => text.replace(/[\d.]+ ms/g, 'T ms');

it('shows who asked what, what each source said, and which conditions hold', async () => {
  const group = ['--group', 'group:default/search'];
  const { code, out, err } = await run(...OLIVIA, ...group, ...DELETE, ...WEBSITE);
  expect(err).toBe('');
  expect(steady(out).replace(/ +(?=T ms)/, ' ')).toBe(
    `DENY: component:default/website does not meet the conditions. CONDITIONAL by 'catalog.entity' [delete]: allowed where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]; 'ownership': allowed to owners of the catalog-entity

  user        user:default/olivia
  refs        user:default/olivia, group:default/search
  permission  catalog.entity.delete (delete, catalog-entity)
  resource    component:default/website
  route       'catalog.entity' [delete]
  sources
    ownership  CONDITIONAL T ms  allowed to owners of the catalog-entity
  conditions
    ✗ IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]
`,
  );
  expect(code).toBe(0);
});

it('marks no condition without an entity', async () => {
  const { out } = await run(...OLIVIA, ...DELETE);
  expect(out).toMatch(/^CONDITIONAL by 'catalog.entity' \[delete\]: allowed where/);
  expect(out).toContain('    - IS_ENTITY_OWNER claims [user:default/olivia]\n');
});

it('answers with JSON as the operations API does', async () => {
  const { out } = await run(...OLIVIA, ...DELETE, ...WEBSITE, '--json');
  expect(JSON.parse(out)).toMatchObject({
    result: 'DENY',
    route: "'catalog.entity' [delete]",
    user: 'user:default/olivia',
    refs: ['user:default/olivia'],
    resource: {
      ref: 'component:default/website',
      exists: true,
      conditions: { met: false },
    },
    record: { result: 'CONDITIONAL', sources: [{ source: 'ownership' }] },
  });
});

it('asks without a user', async () => {
  const { out } = await run('--user', 'anonymous', ...DELETE);
  expect(out).toMatch(/^DENY by 'catalog.entity' \[delete\]/);
  expect(out).toContain('  user        none (anonymous)\n');
});

describe('a source that cannot be asked', () => {
  it('needs a stand-in', async () => {
    const asked = [...OLIVIA, '--permission', 'catalog.location.create'];
    const none = await run(...asked);
    expect([none.code, none.out, none.err]).toEqual([
      2,
      '',
      "source 'opa' of type 'opa' cannot be asked here. Say what it would answer: --stand-in opa=deny, " +
        'or name an OPA: --opa <url>, --policies <path>\n',
    ]);
    const stated = await run(
      ...asked,
      '--stand-in',
      'rbac=deny',
      '--stand-in',
      'opa=allow',
    );
    expect(stated.out).toMatch(
      /^ALLOW by .*; 'opa' was not asked: its stand-in says allow\n/,
    );
  });

  it.each([
    ['rbca=allow', /unknown source 'rbca'; allowed: 'opa', 'rbac'/],
    [
      'ownership=allow',
      /a source of type 'ownership' decides here itself; leave it out/,
    ],
    ['rbac=maybe', /Write <source>=<result> with allow, deny, not-applicable/],
  ])('refuses %s', async (standIn, message) => {
    const { code, err } = await run(...OLIVIA, ...DELETE, '--stand-in', standIn);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });
});

describe('a permission that nothing declares', () => {
  it('is a basic one, and that is said', async () => {
    const { out } = await run(...OLIVIA, '--permission', 'search.query');
    expect(out).toMatch(
      /^DENY by the fallback: .*nothing here declares this permission/,
    );
  });

  it('is as it is written out', async () => {
    const written = ['--action', 'update', '--resource-type', 'cluster'];
    const standIn = ['--stand-in', 'rbac=allow'];
    const { out } = await run(
      ...OLIVIA,
      '--permission',
      'cluster.edit',
      ...written,
      ...standIn,
    );
    expect(out).toContain('  permission  cluster.edit (update, cluster)\n');
    expect(out).toMatch(/^ALLOW by 'cluster'/);
  });
});

it.each([
  [[...DELETE], /--user is required without --backend/],
  [
    ['--user', 'olivia', ...DELETE],
    /must be the entity ref of a user .*, not 'olivia'/,
  ],
  [[...OLIVIA, ...DELETE, '--resource', 'x'], /--resource needs --backend.*--entity/],
  [
    [...OLIVIA, '--permission', 'catalog.entity.create', ...WEBSITE],
    /it is not about a/,
  ],
  [[...OLIVIA], /required option '--permission <name>' not specified/],
  [['--user', 'anonymous', '--group', 'group:default/a', ...DELETE], /is in no group/],
  [[...OLIVIA, ...DELETE, '--opa', 'localhost:8181'], /--opa must be a URL such as/],
])('refuses %j', async (args, message) => {
  const { code, err } = await run(...args);
  expect(err).toMatch(message);
  expect(code).toBe(2);
});

describe('with --backend', () => {
  let server: Server;
  let url: string;
  let asked: unknown[];
  let answer: unknown;

  beforeAll(done => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', chunk => (text += String(chunk)));
      request.on('end', () => {
        const { authorization } = request.headers;
        asked.push({
          path: request.url,
          authorization,
          body: JSON.parse(text) as unknown,
        });
        response.end(JSON.stringify(answer));
      });
    }).listen(0, '127.0.0.1', done);
  });

  beforeEach(() => {
    asked = [];
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    answer = { result: 'DENY', route: "'x'", sentence: "Denied by the route 'x'" };
  });

  afterAll(done => void server.close(done));

  it('asks for the own user of the token', async () => {
    const { code, out } = await run(...DELETE, '--backend', url, '--token', 'abc');
    expect(asked).toEqual([
      {
        path: '/api/policy-router/v1/explain',
        authorization: 'Bearer abc',
        body: { permission: 'catalog.entity.delete' },
      },
    ]);
    expect(out).toBe("DENY: Denied by the route 'x'\n\n  route       'x'\n");
    expect(code).toBe(0);
  });

  it('asks for another user, with its groups and a resource', async () => {
    const about = [
      '--group',
      'group:default/a',
      '--resource',
      'component:default/website',
    ];
    await run(...OLIVIA, ...about, ...DELETE, '--action', 'delete', '--backend', url);
    expect(asked).toMatchObject([
      {
        body: {
          permission: {
            type: 'basic',
            name: 'catalog.entity.delete',
            attributes: { action: 'delete' },
          },
          user: 'user:default/olivia',
          refs: ['user:default/olivia', 'group:default/a'],
          resource: 'component:default/website',
        },
      },
    ]);
  });

  it('does not print what is no explanation', async () => {
    answer = { items: [] };
    const { code, err } = await run(...DELETE, '--backend', url);
    expect(err).toMatch(/answered with something else than an explanation/);
    expect(code).toBe(3);
  });

  it.each([
    ['--entity', 'catalog-info.yaml'],
    ['--opa', 'http://127.0.0.1:8181'],
    ['--stand-in', 'rbac=allow'],
    ['--config', 'app-config.yaml'],
  ])('cannot be combined with %s', async (...option) => {
    const { code, err } = await run(...DELETE, '--backend', url, ...option);
    expect(err).toMatch(/cannot be used with option/);
    expect(code).toBe(2);
    expect(asked).toEqual([]);
  });
});

describe('a permission', () => {
  it('that is declared is asked as it is declared', async () => {
    const same = ['--action', 'delete', '--resource-type', 'catalog-entity'];
    const { out } = await run(...OLIVIA, ...DELETE, ...same);
    expect(out).toContain('catalog.entity.delete (delete, catalog-entity)');
    const other = await run(...OLIVIA, ...DELETE, '--action', 'read');
    expect(other).toMatchObject({
      code: 2,
      err: 'catalog.entity.delete is declared as (delete, catalog-entity): leave out --action and --resource-type\n',
    });
  });

  it('that nobody declares is probably misspelt', async () => {
    const { out } = await run(...OLIVIA, '--permission', 'catalog.entity.raed');
    expect(out).toContain(
      'nothing here declares this permission (did you mean catalog.entity.read?)',
    );
  });
});
