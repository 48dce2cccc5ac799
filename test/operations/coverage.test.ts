import { readConfig } from '../../src/config/read';
import type { DeclaredState } from '../../src/declared/declared-permissions';
import { coverageOf, type Coverage } from '../../src/operations/coverage';
import { RoutingTable } from '../../src/routing/table';
import { declaredBy, permission } from '../support/declared';
import { OPA, OWNERSHIP } from '../support/read-config';
import { turnsDuring } from '../support/turns';

async function cover(
  declared: DeclaredState,
  routes: object[],
  fallback = 'deny',
): Promise<Coverage> {
  const sources = { opa: OPA, ownership: OWNERSHIP };
  const { config } = await readConfig({ fallback, sources, routes });
  return coverageOf({ declared, config, table: new RoutingTable(config.routes) });
}

const OPA_ROUTE = { prefix: 'catalog', sources: ['opa'] };

it('says what decides each declared permission', async () => {
  const declared = declaredBy({
    catalog: [
      permission('catalog.entity.read', 'read', 'catalog-entity'),
      permission('catalog.entity.delete', 'delete', 'catalog-entity'),
    ],
    jobs: [permission('jobs.run')],
    page: [],
  });
  const owners = {
    prefix: 'catalog.entity',
    actions: ['delete'],
    sources: ['ownership', 'opa'],
    onUnavailable: 'fail-open',
  };
  expect(await cover(declared, [OPA_ROUTE, owners])).toEqual({
    settled: true,
    pluginsListed: true,
    permissions: [
      {
        plugin: 'catalog',
        name: 'catalog.entity.read',
        action: 'read',
        type: 'resource',
        resourceType: 'catalog-entity',
        route: "'catalog'",
        routeIndex: 0,
        sources: ['opa'],
        combine: 'deny-overrides',
        default: 'deny',
        onUnavailable: 'fail-closed',
        warnings: [],
      },
      {
        plugin: 'catalog',
        name: 'catalog.entity.delete',
        action: 'delete',
        type: 'resource',
        resourceType: 'catalog-entity',
        route: "'catalog.entity' [delete]",
        routeIndex: 1,
        sources: ['ownership', 'opa'],
        combine: 'deny-overrides',
        default: 'deny',
        onUnavailable: 'fail-open',
        warnings: [],
      },
      {
        plugin: 'jobs',
        name: 'jobs.run',
        type: 'basic',
        route: 'fallback',
        result: 'DENY',
        sources: [],
        warnings: [],
      },
    ],
    unknownPlugins: [],
    totals: { declared: 3, leftOut: 0, plugins: 2, byFallback: 1, warnings: 0 },
  });
});

/** The codes of the warnings about one permission. */
async function codes(
  action: Parameters<typeof permission>[1],
  route: object,
  fallback?: string,
): Promise<string[]> {
  const declared = declaredBy({ jobs: [permission('jobs.run', action)] });
  const { permissions } = await cover(declared, [OPA_ROUTE, route], fallback);
  return permissions[0]!.warnings.map(({ code }) => code);
}

describe('a write that only allow decides', () => {
  const ONLY = ['WRITE_ONLY_ALLOW'];
  const both = (combine: string, ...sources: string[]) => ({
    prefix: 'jobs',
    combine,
    sources,
  });

  it.each<[action: 'create' | 'update' | 'delete' | undefined]>([
    ['create'],
    ['update'],
    ['delete'],
    [undefined],
  ])('is warned of: %s', async action => {
    expect(await codes(action, { prefix: 'jobs', sources: ['allow'] })).toEqual(ONLY);
  });

  it('may be an action that Backstage does not know', async () => {
    const route = { prefix: 'jobs', sources: ['allow'] };
    expect(await codes('use' as never, route)).toEqual(ONLY);
  });

  it('is no read', async () => {
    expect(await codes('read', { prefix: 'jobs', sources: ['allow'] })).toEqual([]);
  });

  it.each([
    ['the first of several is allow', both('first-applicable', 'allow', 'opa'), ONLY],
    ['any of several is allow', both('allow-overrides', 'opa', 'allow'), ONLY],
    ['another source is asked first', both('first-applicable', 'opa', 'allow'), []],
    ['another source must agree', both('deny-overrides', 'opa', 'allow'), []],
    ['nobody allows', { prefix: 'jobs', sources: ['deny'] }, []],
  ])('depends on the combination: %s', async (_what, route, expected) => {
    expect(await codes('create', route)).toEqual(expected);
  });
});

it.each([
  ['create', 'allow', ['FALLBACK_ALLOWS_WRITE']],
  [undefined, 'allow', ['FALLBACK_ALLOWS_WRITE']],
  ['read', 'allow', []],
  ['create', 'deny', []],
] as const)(
  'warns of a fallback that allows a write: %s, fallback %s',
  async (action, fallback, expected) => {
    const elsewhere = { prefix: 'elsewhere', sources: ['deny'] };
    expect(await codes(action, elsewhere, fallback)).toEqual(expected);
  },
);

describe('a name that is declared more than once', () => {
  const messages = async (declared: DeclaredState): Promise<string[]> =>
    (await cover(declared, [OPA_ROUTE])).permissions.flatMap(({ warnings }) =>
      warnings.map(({ code, message }) => `${code} ${message.split(',')[0]}`),
    );

  it('is warned of at each plugin', async () => {
    const twice = [permission('x', 'read')];
    expect(await messages(declaredBy({ a: twice, b: twice, c: [] }))).toEqual([
      "DECLARED_TWICE 'b' also declares it",
      "DECLARED_TWICE 'a' also declares it",
    ]);
  });

  it('may be of one plugin that declares it in two ways', async () => {
    const two = [permission('x', 'read'), permission('x', 'update')];
    expect(await messages(declaredBy({ a: two }))).toEqual([
      'DECLARED_TWICE its plugin declares it in several ways',
      'DECLARED_TWICE its plugin declares it in several ways',
    ]);
  });

  it('is listed once if its plugin only repeats it', async () => {
    const twice = [permission('x', 'read'), permission('x', 'read')];
    const { permissions, totals } = await cover(declaredBy({ a: twice }), [OPA_ROUTE]);
    expect(permissions).toMatchObject([{ name: 'x', warnings: [] }]);
    expect(totals.declared).toBe(1);
  });
});

it('names the plugins that cannot be read', async () => {
  const read = declaredBy({ a: [permission('x', 'read')] }, { isSettled: false });
  const declared: DeclaredState = {
    ...read,
    isListed: false,
    plugins: [
      { ...read.plugins[0]!, state: 'failing' },
      { pluginId: 'b', state: 'unread', permissions: [] },
    ],
  };
  expect(await cover(declared, [OPA_ROUTE])).toMatchObject({
    settled: false,
    pluginsListed: false,
    permissions: [{ name: 'x' }],
    unknownPlugins: [
      { plugin: 'a', state: 'failing' },
      { plugin: 'b', state: 'unread' },
    ],
  });
});

it('is bounded, says what it leaves out, and lets others run', async () => {
  const many = (prefix: string) =>
    Array.from({ length: 6000 }, (_, index) => permission(`${prefix}${index}`));
  const declared = declaredBy({ a: many('a'), b: many('b'), c: many('c') });
  const sources = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`own${index}`, OWNERSHIP]),
  );
  const routes = [{ prefix: '*', sources: Object.keys(sources) }];
  const { config } = await readConfig({ fallback: 'deny', sources, routes });
  const table = new RoutingTable(config.routes);
  const covering = coverageOf({ declared, config, table });
  expect(await turnsDuring(covering)).toBeGreaterThan(1);
  const { permissions, totals } = await covering;
  expect(permissions).toHaveLength(10_000);
  expect(totals).toMatchObject({ declared: 10_000, leftOut: 8000, plugins: 3 });
  expect(permissions[0]).toMatchObject({ moreSources: 10 });
  expect(permissions[0]!.sources).toHaveLength(20);
});
