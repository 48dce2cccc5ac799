import { readConfig } from '../../src/config/read';
import { tableOf, type Table, type TablePart } from '../../src/operations/table';
import { EMBEDDED, OPA, OWNERSHIP } from '../support/read-config';
import { tlsFixture } from '../support/tls-fixture';

const since = new Date('2027-01-31T06:00:00Z');

async function table(raw: object, part?: TablePart, file?: string): Promise<Table> {
  const live = { routingFile: file, rejected: undefined };
  return tableOf({ read: await readConfig(raw), since }, live, part);
}

const TOKEN = 'token-that-nobody-may-see';
const SOURCES = {
  opa: {
    ...OPA,
    auth: { token: TOKEN },
    tls: { cert: tlsFixture('client.pem'), key: tlsFixture('client.key') },
    standby: 'second',
  },
  second: { ...OPA, baseUrl: 'https://opa-2.example.com', standby: 'embedded' },
  embedded: EMBEDDED,
  ownership: { ...OWNERSHIP, bypass: ['group:default/bypassing'] },
};
const RAW = {
  fallback: 'deny',
  verifyConditions: 'required',
  operators: ['group:default/operating'],
  sources: SOURCES,
  routes: [
    {
      prefix: 'catalog.entity',
      actions: ['update', 'delete'],
      resourceTypes: ['catalog-entity'],
      sources: ['ownership', 'opa'],
      onUnavailable: 'fail-open',
    },
    { prefix: '', sources: ['opa'] },
    {
      prefix: 'cost/',
      sources: ['embedded', 'opa'],
      combine: 'allow-overrides',
      default: 'allow',
    },
    { name: 'cost/a.*', sources: ['deny'] },
  ],
};

it('says what is in force', async () => {
  const { digest } = await readConfig(RAW);
  expect(await table(RAW)).toEqual({
    digest,
    loadedAt: '2027-01-31T06:00:00.000Z',
    from: 'app-config',
    fallback: 'deny',
    settings: {
      anonymous: 'deny',
      deadline: 2000,
      verifyConditions: 'required',
      whenAskedWithoutResource: 'deny',
      maxConditionBytes: 65_536,
    },
    warnings: [
      {
        code: 'ODD_PATTERN',
        place: 'permission.policyRouter.routes[3].name',
        subject: "name 'cost/a.*'",
        message: expect.stringContaining('looks like a prefix') as string,
      },
    ],
    totalRoutes: 4,
    routes: [
      {
        index: 0,
        label: "'catalog.entity' [update, delete] catalog-entity",
        pattern: { kind: 'prefix', text: 'catalog.entity' },
        actions: ['update', 'delete'],
        resourceTypes: ['catalog-entity'],
        sources: [
          { name: 'ownership', type: 'ownership' },
          {
            name: 'opa',
            type: 'opa',
            standbys: ['second', 'embedded'],
            onUnavailable: 'fail-open',
          },
        ],
        combine: 'deny-overrides',
        default: 'deny',
      },
      {
        index: 1,
        label: "'*'",
        pattern: { kind: 'prefix', text: '*' },
        sources: [
          {
            name: 'opa',
            type: 'opa',
            standbys: ['second', 'embedded'],
            onUnavailable: 'fail-closed',
          },
        ],
        combine: 'deny-overrides',
        default: 'deny',
      },
      {
        index: 2,
        label: "'cost/'",
        pattern: { kind: 'prefix', text: 'cost/' },
        sources: [
          { name: 'embedded', type: 'opa-wasm' },
          {
            name: 'opa',
            type: 'opa',
            standbys: ['second', 'embedded'],
            onUnavailable: 'fail-closed',
          },
        ],
        combine: 'allow-overrides',
        default: 'allow',
      },
      {
        index: 3,
        label: "name 'cost/a.*'",
        pattern: { kind: 'name', text: 'cost/a.*' },
        sources: [{ name: 'deny', type: 'deny' }],
        combine: 'deny-overrides',
        default: 'deny',
      },
    ],
  });
});

it('says which file it comes from', async () => {
  expect(await table(RAW, {}, './routing.yaml')).toMatchObject({
    from: 'routingFile',
    routingFile: './routing.yaml',
  });
});

it('shows no setting of a source', async () => {
  const text = JSON.stringify(await table(RAW));
  for (const hidden of [TOKEN, 'BEGIN', 'example.com', 'bypassing', 'operating'])
    expect(text).not.toContain(hidden);
});

describe('a huge table', () => {
  const routes = Array.from({ length: 2500 }, (_, index) => ({
    prefix: `p${index}`,
    sources: ['deny'],
  }));
  const raw = { fallback: 'deny', routes };

  it.each<
    [
      part: TablePart,
      first: number | undefined,
      count: number,
      next: number | undefined,
    ]
  >([
    [{}, 0, 1000, 1000],
    [{ from: 1000 }, 1000, 1000, 2000],
    [{ from: 2000 }, 2000, 500, undefined],
    [{ from: 2499, limit: 1 }, 2499, 1, undefined],
    [{ limit: 5000 }, 0, 1000, 1000],
    [{ from: 2500 }, undefined, 0, undefined],
  ])('is told in parts: %j', async (part, first, count, next) => {
    const answer = await table(raw, part);
    expect(answer.totalRoutes).toBe(2500);
    expect(answer.routes).toHaveLength(count);
    expect(answer.routes[0]?.index).toBe(first);
    expect(answer.next).toBe(next);
  });
});

it('bounds the lists of a route', async () => {
  const names = Array.from({ length: 150 }, (_, index) => `x${index}`);
  const sources = Object.fromEntries(names.map(name => [name, OWNERSHIP]));
  const routes = [{ prefix: 'a', resourceTypes: names, sources: names }];
  const answer = await table({ fallback: 'deny', sources, routes });
  const [route] = answer.routes;
  expect(route).toMatchObject({ leftOut: 100 });
  expect(route!.resourceTypes).toHaveLength(100);
  expect(route!.sources).toHaveLength(100);
});

describe('what is observed', () => {
  const raw = {
    ...RAW,
    observe: { answer: 'allow', until: '2027-01-31' },
    routes: [
      { prefix: 'a', sources: ['opa'] },
      { prefix: 'b', sources: ['opa'], observe: false },
      {
        prefix: 'c',
        sources: ['opa'],
        observe: { answer: 'opa', until: '2999-01-31' },
      },
    ],
  };
  const shown = async () => {
    const { observe, routes, warnings } = await table(raw);
    return {
      observe: [observe, ...routes.map(each => each.observe)],
      codes: warnings
        .map(({ code }) => code)
        .filter(code => code.startsWith('OBSERVE')),
    };
  };
  const until = '2027-01-31T00:00:00.000Z';
  const other = {
    answer: 'opa',
    until: '2999-01-31T00:00:00.000Z',
    state: 'observing',
  };
  afterEach(() => jest.useRealTimers());

  it.each([
    ['long before the end', '2027-01-01', 'observing', []],
    ['within the last week', '2027-01-25', 'observing', ['OBSERVE_ENDS_SOON']],
    ['after the end', '2027-01-31', 'ended', ['OBSERVE_ENDED']],
  ])(
    'is at the top and on each route, as it is %s',
    async (_when, now, state, codes) => {
      jest.useFakeTimers({
        now: Date.parse(now),
        doNotFake: ['setImmediate', 'nextTick'],
      });
      const common = { answer: 'allow', until, state };
      expect(await shown()).toEqual({
        observe: [common, common, undefined, other],
        codes,
      });
    },
  );
});
