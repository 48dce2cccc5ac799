import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Permission } from '@backstage/plugin-permission-common';
import { stringify } from 'yaml';
import type { DeclaredState } from '../../src/declared/declared-permissions';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { diffOf, type Diff } from '../../src/operations/diff';
import { createRouter, type Router } from '../../src/router';
import type { RecentDecision } from '../../src/trace/recent';
import { newRecord } from '../../src/trace/record';
import { temporaryFolder } from '../support/backend';
import { CapturedLogs } from '../support/captured-logs';
import { ChangingConfig } from '../support/changing-config';
import { declaredBy, permission } from '../support/declared';
import { hosted, HOSTED, OPA, OWNERSHIP } from '../support/read-config';
import { unread } from '../support/rule-directory';
import { tlsFixture } from '../support/tls-fixture';
import { turnsDuring } from '../support/turns';

const TOKEN = 'token-that-nobody-may-see';
const SOURCES = {
  opa: {
    ...OPA,
    auth: { token: TOKEN },
    tls: { cert: tlsFixture('client.pem'), key: tlsFixture('client.key') },
  },
  ownership: OWNERSHIP,
};
const CATALOG = { prefix: 'catalog', sources: ['opa'] };
const TABLE = { fallback: 'deny', routes: [CATALOG] };

const routers: Router[] = [];
afterEach(() => {
  for (const router of routers.splice(0)) router.close();
});

async function start(
  policyRouter: object,
  policies = new ProvidedPolicies(),
): Promise<Router> {
  const router = await createRouter({
    config: new ChangingConfig(policyRouter).service,
    services: {
      logger: new CapturedLogs().logger(),
      userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
      readRules: () => Promise.resolve(unread),
      policies,
    },
  });
  routers.push(router);
  return router;
}

interface Given {
  readonly declared?: DeclaredState;
  readonly recent?: readonly RecentDecision[];
}

function diff(
  router: Router,
  yaml: string | object,
  { declared = declaredBy({}), recent = [] }: Given = {},
): Promise<Diff> {
  return diffOf(typeof yaml === 'string' ? yaml : stringify(yaml), {
    live: router.live,
    inForce: router.inUse.read,
    table: router.policy.snapshot.table,
    declared,
    recent,
  });
}

/** What is wrong with the table, one line each. */
async function errors(yaml: string | object): Promise<string[]> {
  const router = await start({ ...TABLE, sources: SOURCES });
  const answer = await diff(router, yaml);
  expect(answer).toMatchObject({ valid: false, warnings: [], permissions: [] });
  expect(answer.digest).toBeUndefined();
  expect(JSON.stringify(answer)).not.toContain(TOKEN);
  return answer.errors.map(({ path, message }) => `${path}: ${message}`);
}

let count = 0;
const decision = (
  of: Permission,
  more: Partial<RecentDecision> = {},
): RecentDecision => ({
  ...newRecord(),
  number: ++count,
  permission: of,
  route: "'catalog'",
  user: 'user:default/olivia',
  ...more,
});

const READ = permission('catalog.entity.read', 'read', 'catalog-entity');
const DELETE = permission('catalog.entity.delete', 'delete', 'catalog-entity');
const RUN = permission('jobs.run');
const DECLARED = declaredBy({ catalog: [READ, DELETE], jobs: [RUN] });

const FROM_CATALOG = {
  route: "'catalog'",
  routeIndex: 0,
  sources: ['opa'],
  combine: 'deny-overrides',
  default: 'deny',
  onUnavailable: 'fail-closed',
};

it('says nothing of the table in force', async () => {
  const router = await start({ ...TABLE, sources: SOURCES });
  const recent = [decision(READ), decision(RUN, { route: 'fallback' })];
  const { digest } = router.inUse.read;
  expect(await diff(router, TABLE, { declared: DECLARED, recent })).toEqual({
    valid: true,
    errors: [],
    warnings: [
      {
        code: 'UNUSED_SOURCE',
        place: 'permission.policyRouter.sources.ownership',
        message: 'no route names this source',
      },
    ],
    digestInForce: digest,
    digest,
    permissions: [],
    decisions: [],
    unknownPlugins: [],
    counts: {
      errors: 0,
      routes: 1,
      permissions: 3,
      permissionsChanged: 0,
      permissionsLeftOut: 0,
      decisions: 2,
      decisionsChanged: 0,
    },
  });
});

it('names declared permissions and recent decisions that change', async () => {
  const router = await start({ ...TABLE, sources: SOURCES });
  const owners = { prefix: 'catalog', actions: ['delete'], sources: ['ownership'] };
  const proposed = { fallback: 'allow', routes: [owners, CATALOG] };
  const recent = [
    decision(DELETE, { result: 'CONDITIONAL' }),
    decision(READ),
    decision(RUN, { route: 'fallback', user: undefined }),
    // Denied before it came to a route.
    decision(RUN, { route: undefined }),
    decision(RUN, { route: undefined, permission: undefined }),
  ];
  const to = {
    route: "'catalog' [delete]",
    routeIndex: 0,
    sources: ['ownership'],
    combine: 'deny-overrides',
    default: 'deny',
  };
  const toRun = {
    from: { route: 'fallback', result: 'DENY', sources: [] },
    to: { route: 'fallback', result: 'ALLOW', sources: [] },
  };
  const deleting = {
    name: 'catalog.entity.delete',
    action: 'delete',
    type: 'resource',
    resourceType: 'catalog-entity',
  };
  const running = { name: 'jobs.run', type: 'basic' };
  const answer = await diff(router, proposed, { declared: DECLARED, recent });
  expect(answer).toMatchObject({
    valid: true,
    warnings: [],
    counts: {
      routes: 2,
      permissions: 3,
      permissionsChanged: 2,
      decisions: 3,
      decisionsChanged: 2,
    },
  });
  expect(answer.digest).not.toBe(answer.digestInForce);
  expect(answer.permissions).toEqual([
    { plugin: 'catalog', ...deleting, from: FROM_CATALOG, to },
    { plugin: 'jobs', ...running, ...toRun },
  ]);
  expect(answer.decisions).toEqual([
    {
      number: recent[0]!.number,
      permission: deleting,
      user: 'user:default/olivia',
      result: 'CONDITIONAL',
      from: FROM_CATALOG,
      to,
    },
    { number: recent[2]!.number, permission: running, result: 'DENY', ...toRun },
  ]);
});

describe('what decides a permission', () => {
  it.each<[what: string, route: object, isChanged: boolean]>([
    ['its place', {}, false],
    ['how its prefix is written', { prefix: 'catalog.*' }, false],
    ['what is so anyway', { onUnavailable: 'fail-closed', default: 'deny' }, false],
    ['its prefix', { prefix: 'catalog.entity' }, true],
    ['its constraints', { actions: ['read', 'create'] }, true],
    ['its sources', { sources: ['ownership', 'opa'] }, true],
    ['its algorithm', { combine: 'first-applicable' }, true],
    ['its default', { default: 'allow' }, true],
    ['its failure mode', { onUnavailable: 'fail-open' }, true],
  ])('changes with %s: %j (%s)', async (_what, route, isChanged) => {
    const router = await start({ ...TABLE, sources: SOURCES });
    const routes = [
      { prefix: 'a', sources: ['deny'] },
      { ...CATALOG, ...route },
    ];
    const declared = declaredBy({ catalog: [READ] });
    const { counts, errors } = await diff(
      router,
      { fallback: 'deny', routes },
      { declared },
    );
    expect(errors).toEqual([]);
    expect(counts.permissionsChanged).toBe(isChanged ? 1 : 0);
  });
});

describe('a table that cannot be used', () => {
  it('has all its errors named', async () => {
    const routes = [
      { prefix: 'a', sources: ['gone'] },
      { prefix: 'b..c', sources: ['opa'] },
    ];
    expect(await errors({ fallback: 'deni', routes, sources: {} })).toEqual([
      "proposed: unknown key 'sources'; allowed: fallback, routes",
      expect.stringContaining('proposed: fallback: must be'),
      expect.stringContaining(
        "proposed: routes[1].prefix: 'b..c' has an empty segment",
      ),
      expect.stringContaining("proposed: routes[0].sources[0]: unknown source 'gone'"),
    ]);
  });

  it.each([
    ['is empty', '', 'proposed: must contain fallback and routes, but is empty'],
    [
      'is a list',
      '- a',
      'proposed: must contain fallback and routes, but is not an object',
    ],
    ['is not YAML', 'a: [', 'proposed: '],
    ['repeats a key', 'a: 1\na: 2', 'proposed: Map keys must be unique at line 2'],
    [
      'is too large',
      `#${'x'.repeat(2 ** 20)}`,
      'proposed: is larger than 1048576 bytes',
    ],
    ['is nested', '['.repeat(100), 'proposed: is nested deeper than 64 levels'],
  ])('names the place if it %s', async (_what, yaml, message) => {
    const [first] = await errors(yaml);
    expect(first).toContain(message);
  });

  it('is refused if aliases make it huge', async () => {
    const lists = Array.from({ length: 30 }, (_, index) => {
      const item = index === 0 ? 'x' : `*l${index - 1}`;
      return `l${index}: &l${index} [${Array(9).fill(item).join(', ')}]`;
    });
    expect(await errors(lists.join('\n'))).toEqual([
      expect.stringMatching(/^proposed: /),
    ]);
  });

  it.each(['$include', '$file', '$env'])(
    'may not read from elsewhere: %s',
    async key => {
      const nested = { [key]: '/etc/hostname' };
      const routes = [
        CATALOG,
        { prefix: 'a', sources: ['opa', nested], default: nested },
      ];
      const message = `'${key}' is not supported here; write out what it stands for`;
      expect(await errors({ fallback: nested, routes })).toEqual([
        `proposed: fallback: ${message}`,
        `proposed: routes[1].default: ${message}`,
        `proposed: routes[1].sources[1]: ${message}`,
      ]);
      expect(await errors(nested)).toEqual([`proposed: ${message}`]);
    },
  );

  it('has at most 50 errors, and says how many there are', async () => {
    const router = await start({ ...TABLE, sources: SOURCES });
    const routes = Array.from({ length: 200 }, (_, index) => ({
      prefix: `p${index}`,
      sources: [`gone${index}`],
    }));
    const answer = await diff(router, { fallback: 'deny', routes });
    expect(answer.errors).toHaveLength(50);
    expect(answer.counts.errors).toBe(200);
  });
});

it('reads the table with the settings and the policies in force', async () => {
  const sources = { ...SOURCES, team: HOSTED };
  const routes = [{ prefix: '', sources: ['team'] }];
  const policyRouter = { fallback: 'deny', anonymous: 'evaluate', sources, routes };
  const router = await start(policyRouter, hosted('team'));
  const proposed = await diff(router, { fallback: 'deny', routes });
  expect(proposed).toMatchObject({ valid: true, errors: [] });
  expect(proposed.digest).toBe(router.inUse.read.digest);
});

it('may observe a route as the table in force may: in app-config, not in a file', async () => {
  const observe = { answer: 'allow', until: '2999-01-31' };
  const observed = { ...TABLE, routes: [{ ...CATALOG, observe }] };
  const inline = await start({ ...observed, sources: SOURCES });
  const same = await diff(inline, observed);
  expect(same).toMatchObject({ valid: true, errors: [] });
  expect(same.digest).toBe(inline.inUse.read.digest);

  const routingFile = join(await temporaryFolder(), 'routing.yaml');
  await writeFile(routingFile, stringify(TABLE));
  const fromFile = await start({ sources: SOURCES, routingFile });
  expect(await diff(fromFile, observed)).toMatchObject({
    valid: false,
    errors: [{ path: 'proposed: routes[0].observe' }],
  });
});

it('takes the place of a routing file', async () => {
  const folder = await temporaryFolder();
  const routingFile = join(folder, 'routing.yaml');
  await writeFile(routingFile, stringify(TABLE));
  const router = await start({ sources: SOURCES, routingFile });
  expect(router.live.routingFile).toBe(routingFile);
  const answer = await diff(router, { ...TABLE, fallback: 'allow' });
  expect(answer).toMatchObject({ valid: true, errors: [] });
  await rm(folder, { recursive: true });
});

it('is bounded, and lets others run', async () => {
  const router = await start({ ...TABLE, sources: SOURCES });
  const permissions = Array.from({ length: 3000 }, (_, index) =>
    permission(`catalog.p${index}`),
  );
  const recent = permissions.map(each => decision(each));
  const routes = Array.from({ length: 3000 }, (_, index) => ({
    name: `catalog.p${index}`,
    sources: ['deny'],
  }));
  const asked = diff(
    router,
    { fallback: 'deny', routes },
    { declared: declaredBy({ catalog: permissions }), recent },
  );
  expect(await turnsDuring(asked)).toBeGreaterThan(5);
  const answer = await asked;
  expect(answer.counts).toMatchObject({
    permissionsChanged: 3000,
    decisionsChanged: 3000,
  });
  expect(answer.permissions).toHaveLength(1000);
  expect(answer.decisions).toHaveLength(1000);
  expect(answer.decisions.at(-1)!.number).toBe(recent.at(-1)!.number);
});

it('shows no secret, whatever is proposed', async () => {
  const router = await start({ ...TABLE, sources: SOURCES });
  const proposals = [
    TABLE,
    { fallback: 'deny', routes: [{ prefix: '', sources: ['ownership'] }] },
    { fallback: 'deny', sources: { opa: OPA }, routes: [] },
    { fallback: 'deny', routes: [{ prefix: '', sources: ['opa.auth.token'] }] },
    "fallback: '${OPA_TOKEN}'",
  ];
  for (const proposed of proposals) {
    const text = JSON.stringify(
      await diff(router, proposed, { declared: DECLARED, recent: [decision(READ)] }),
    );
    for (const secret of [TOKEN, 'BEGIN', 'example.com'])
      expect(text).not.toContain(secret);
  }
});

it('a route that is no longer observed is decided differently, and so is the fallback', async () => {
  const observe = { answer: 'allow', until: '2999-01-31' };
  const router = await start({ ...TABLE, sources: SOURCES, observe });
  const declared = declaredBy({ catalog: [permission('catalog.entity.read')] });
  const routing = stringify({ ...TABLE, routes: [{ ...CATALOG, observe: false }] });
  const { permissions } = await diff(router, routing, { declared });
  const until = '2999-01-31T00:00:00.000Z';
  expect(permissions).toMatchObject([
    { from: { observe: { answer: 'allow', until } }, to: { route: "'catalog'" } },
  ]);
  expect(permissions[0]!.to).not.toHaveProperty('observe');
});
