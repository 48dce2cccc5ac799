import { readConfig } from '../../src/config/read';
import { digestOf } from '../../src/config/digest';
import { Slices } from '../../src/lib/slices';
import { config, hosted, HOSTED, OPA, OWNERSHIP } from '../support/read-config';
import { tlsFixture } from '../support/tls-fixture';
import { countTurns } from '../support/turns';

const TLS = { cert: tlsFixture('client.pem'), key: tlsFixture('client.key') };

/** Has every part that the changes below change. */
const TABLE = {
  fallback: 'deny',
  sources: {
    opa: { ...OPA, auth: { token: 'the-first-token' } },
    own: { ...OWNERSHIP, bypass: ['group:default/platform'] },
    team: HOSTED,
  },
  routes: [
    { prefix: 'catalog', sources: ['opa', 'own'] },
    {
      prefix: 'catalog.entity',
      actions: ['update', 'delete'],
      resourceTypes: ['catalog-entity', 'catalog-location'],
      sources: ['own'],
    },
    { prefix: 'scaffolder', sources: ['team'] },
  ],
} as const;
const [CATALOG, ENTITY, SCAFFOLDER] = TABLE.routes;
const { opa, own, team } = TABLE.sources;

const digest = async (raw: object): Promise<string> =>
  (await readConfig(raw, undefined, hosted('team'))).digest;
const withSources = (sources: object) => ({
  ...TABLE,
  sources: { ...TABLE.sources, ...sources },
});
const withEntity = (changes: object) => ({
  ...TABLE,
  routes: [CATALOG, { ...ENTITY, ...changes }, SCAFFOLDER],
});

it('is twelve hexadecimal digits', async () => {
  expect(await digest(TABLE)).toMatch(/^[0-9a-f]{12}$/);
});

describe('is equal for', () => {
  it.each<[what: string, raw: object]>([
    [
      'another order of the routes',
      { ...TABLE, routes: [SCAFFOLDER, ENTITY, CATALOG] },
    ],
    [
      'another order of keys',
      { routes: TABLE.routes, sources: { team, own, opa }, fallback: 'deny' },
    ],
    [
      'another order of the keys of a route',
      {
        ...TABLE,
        routes: [{ sources: ['opa', 'own'], prefix: 'catalog' }, ENTITY, SCAFFOLDER],
      },
    ],
    ['another order of actions', withEntity({ actions: ['delete', 'update'] })],
    [
      'another order of resource types',
      withEntity({ resourceTypes: ['catalog-location', 'catalog-entity'] }),
    ],
    ['another way to write a prefix', withEntity({ prefix: 'catalog.entity.*' })],
    [
      'a default that is written',
      withEntity({ combine: 'deny-overrides', default: 'deny' }),
    ],
    ['another way to write a duration', { ...TABLE, deadline: { seconds: 2 } }],
    [
      'the same failure mode, of the source',
      withSources({ opa: { ...opa, onUnavailable: 'fail-closed' } }),
    ],
  ])('%s', async (_what, raw) => {
    expect(await digest(raw)).toBe(await digest(TABLE));
  });
});

it('is different for prefixes and a name of the same characters', async () => {
  const written = [
    { prefix: 'a/' },
    { prefix: 'a/.*' },
    { name: 'a/' },
    { prefix: 'a' },
  ];
  const digests = written.map(names =>
    digest(withEntity({ prefix: undefined, ...names })),
  );
  expect(new Set(await Promise.all(digests)).size).toBe(written.length);
});

it('stays what it was for a table of prefixes of segments', async () => {
  const { config: read } = await readConfig(
    config({
      routes: [
        { prefix: '', sources: ['allow'] },
        { prefix: 'catalog.entity.*', actions: ['read'], sources: ['opa'] },
        { prefix: 'ros/a.b', resourceTypes: ['x'], sources: ['ownership'] },
      ],
    }),
  );
  // Only of the routes: settings have been added since.
  const ofRoutes = { routes: read.routes, sources: new Map() } as never;
  expect(await digestOf(ofRoutes, new Slices())).toBe('54fabd6ae8bc');
});

describe('is different for', () => {
  it.each<[what: string, raw: object]>([
    ['another fallback', { ...TABLE, fallback: 'allow' }],
    ['another deadline', { ...TABLE, deadline: '3s' }],
    ['anonymous requests that are evaluated', { ...TABLE, anonymous: 'evaluate' }],
    ['conditions that are not verified', { ...TABLE, verifyConditions: false }],
    ['another limit of conditions', { ...TABLE, maxConditionBytes: 1000 }],
    ['another failure mode', { ...TABLE, onUnavailable: 'fail-open' }],
    ['a route less', { ...TABLE, routes: [CATALOG, ENTITY] }],
    ['another prefix', withEntity({ prefix: 'catalog.location' })],
    [
      'a name in place of a prefix',
      withEntity({ prefix: undefined, name: 'catalog.entity' }),
    ],
    ["a prefix that ends in '/'", withEntity({ prefix: 'catalog.entity/' })],
    ['an action less', withEntity({ actions: ['update'] })],
    ['no actions', withEntity({ actions: undefined })],
    ['another resource type', withEntity({ resourceTypes: ['catalog-entity'] })],
    ['another source', withEntity({ sources: ['deny'] })],
    ['another algorithm', withEntity({ combine: 'first-applicable' })],
    ['another default', withEntity({ default: 'allow' })],
    [
      'another order of the sources of a route',
      {
        ...TABLE,
        routes: [{ prefix: 'catalog', sources: ['own', 'opa'] }, ENTITY, SCAFFOLDER],
      },
    ],
    [
      'the failure mode of a route',
      {
        ...TABLE,
        routes: [{ ...CATALOG, onUnavailable: 'fail-open' }, ENTITY, SCAFFOLDER],
      },
    ],
    [
      'another URL',
      withSources({ opa: { ...opa, baseUrl: 'https://opa-2.example.com' } }),
    ],
    ['another entrypoint', withSources({ opa: { ...opa, entrypoint: 'a/b' } })],
    ['another timeout', withSources({ opa: { ...opa, timeout: '400ms' } })],
    ['a standby', withSources({ opa: { ...opa, standby: 'own' } })],
    ['no token', withSources({ opa: OPA })],
    ['others in bypass', withSources({ own: OWNERSHIP })],
    ['another type of source', withSources({ own: OPA })],
    ['sources that have changed their names', withSources({ opa: own, own: opa })],
  ])('%s', async (_what, raw) => {
    expect(await digest(raw)).not.toBe(await digest(TABLE));
  });

  it('another order of URLs', async () => {
    const [first, second] = [OPA.baseUrl, 'https://opa-2.example.com'];
    const ordered = (...baseUrl: string[]) => withSources({ opa: { ...opa, baseUrl } });
    expect(await digest(ordered(first, second))).not.toBe(
      await digest(ordered(second, first)),
    );
  });
});

it('tells nothing of a secret but that it is set', async () => {
  const withToken = (token: string) =>
    withSources({ opa: { ...OPA, auth: { token } } });
  expect(await digest(withToken('another-token'))).toBe(await digest(TABLE));
  // The fixture has two keys that fit no other certificate, so it is changed where it is read.
  const { config: read } = await readConfig(
    config({ sources: { opa: { ...OPA, tls: TLS }, ownership: OWNERSHIP } }),
  );
  const source = read.sources.get('opa')!;
  const withTls = (tls: object) => {
    const options = { ...(source.options as object), tls };
    return digestOf(
      { ...read, sources: new Map([...read.sources, ['opa', { ...source, options }]]) },
      new Slices(),
    );
  };
  const of = await withTls(TLS);
  expect(await withTls({ ...TLS, key: 'another' })).toBe(of);
  expect(await withTls({ ...TLS, cert: 'another' })).not.toBe(of);
  // The config itself keeps its secrets.
  expect(source.options).toMatchObject({ tls: TLS });
});

it('of a huge table is made while others run', async () => {
  const { config: read } = await readConfig(TABLE, undefined, hosted('team'));
  const [route] = read.routes;
  const routes = Array.from({ length: 1000 }, (_, index) => ({
    ...route!,
    segments: [`p${index}`],
  }));
  // Every route takes a millisecond, as seen by the clock.
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now++);
  const turns = countTurns();
  await digestOf({ ...read, routes }, new Slices());
  expect(turns.stop()).toBeGreaterThan(80);
  jest.restoreAllMocks();
});
