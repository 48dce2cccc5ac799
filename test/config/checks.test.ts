import { longestWaits } from '../../src/config/standby';
import {
  config,
  configOf,
  expectProblems,
  hosted,
  HOSTED,
  opa,
  OPA,
  OWNERSHIP,
  problems,
  ROUTE,
  sourcesOf,
  TYPES,
  warnings,
  withOpa,
  withRoute,
  withRoutes,
  type Row,
} from '../support/read-config';

describe('a route', () => {
  it.each<Row>([
    [
      'must name known sources only',
      withRoute({ sources: ['opa', 'oppa', 'hosted'] }),
      "~.routes[0].sources[1]: unknown source 'oppa'; allowed: 'allow', 'deny', 'opa', 'ownership'",
      "~.routes[0].sources[2]: unknown source 'hosted'; allowed: 'allow', 'deny', 'opa', 'ownership'",
    ],
    [
      'must not name members of objects',
      withRoute({ sources: ['constructor', '__proto__'] }),
      "~.routes[0].sources[0]: unknown source 'constructor'; allowed: 'allow', 'deny', 'opa', 'ownership'",
      "~.routes[0].sources[1]: unknown source '__proto__'; allowed: 'allow', 'deny', 'opa', 'ownership'",
    ],
    [
      'that ties with another is an error',
      withRoutes(
        { prefix: 'a' },
        { prefix: 'b' },
        { prefix: 'a.*', sources: ['deny'] },
      ),
      "~.routes[2]: ties with routes[0]: prefix 'a' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
    [
      'of actions ties with one of resource types',
      withRoutes(
        { prefix: 'a', actions: ['read'] },
        { prefix: 'a', resourceTypes: ['catalog-entity'] },
      ),
      "~.routes[1]: ties with routes[0]: prefix 'a' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
    [
      'of a name ties with one of the same name',
      withRoutes({ name: 'a b' }, { prefix: 'a' }, { name: 'a b', sources: ['deny'] }),
      "~.routes[2]: ties with routes[0]: name 'a b' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
    [
      "of a prefix that ends in '/' ties with the same prefix of segments",
      withRoutes({ prefix: 'cost/' }, { prefix: 'cost/.*' }),
      "~.routes[1]: ties with routes[0]: prefix 'cost/' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
    [
      'that ties is named by its index, also after broken ones',
      withRoutes({ prefix: 1 }, { prefix: 'a' }, { prefix: 'a.' }),
      '~.routes[0].prefix: must be a string',
      "~.routes[2]: ties with routes[1]: prefix 'a' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint",
    ],
  ])('%s', expectProblems);

  it('of disjoint actions does not tie', async () => {
    const raw = withRoutes(
      { prefix: 'a', actions: ['read'] },
      { prefix: 'a', actions: ['update', 'none'] },
    );
    expect(await problems(raw)).toEqual([]);
  });
});

describe('a standby', () => {
  it('is reported together with what else is wrong in its source', async () => {
    expect(await problems(configOf({ opa: opa('own', { queue: -1 }) }))).toEqual([
      '~.sources.opa.queue: must be a whole number from 0 to 100000, not -1',
      "~.sources.opa.standby: unknown source 'own'; allowed: 'deny'",
    ]);
  });

  it('that has mistakes of its own is not reported as unknown', async () => {
    expect(
      await problems(configOf({ opa: opa('own'), own: { type: 'owner' } })),
    ).toEqual([`~.sources.own.type: must be one of ${TYPES}, not 'owner'`]);
  });
});

describe('the timeout of a source', () => {
  it.each<Row>([
    [
      'must not outlast the deadline',
      withOpa({ timeout: '2001ms' }),
      '~.sources.opa.timeout: 2001 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('%s', expectProblems);

  it('must not be as long as the deadline, which would end it first', async () => {
    expect(await problems(withOpa({ timeout: '2s' }))).toEqual([
      '~.sources.opa.timeout: 2000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ]);
    expect(await problems(withOpa({ timeout: '1999ms' }))).toEqual([]);
  });
});

describe('a source, its endpoints and its standbys', () => {
  const TWO = ['http://a', 'http://b'];
  const THREE = [...TWO, 'http://c'];

  it.each<[what: string, sources: object, wait: number, problem: string]>([
    ['one endpoint', { opa: opa(undefined, { timeout: '1999ms' }) }, 1999, ''],
    [
      'two endpoints',
      { opa: opa(undefined, { baseUrl: TWO, timeout: '999ms' }) },
      1998,
      '',
    ],
    [
      'two endpoints',
      { opa: opa(undefined, { baseUrl: TWO, timeout: '1s' }) },
      2000,
      '1000 ms (2000 ms with 2 endpoints)',
    ],
    [
      'a standby that must be waited for',
      { opa: opa('b', { timeout: '1s' }), b: opa(undefined, { timeout: '999ms' }) },
      1999,
      '',
    ],
    [
      'a standby that must be waited for',
      { opa: opa('b', { timeout: '1s' }), b: opa(undefined, { timeout: '1s' }) },
      2000,
      '1000 ms (2000 ms with its standby)',
    ],
    [
      'two endpoints and a standby of three',
      { opa: opa('b', { baseUrl: TWO }), b: opa(undefined, { baseUrl: THREE }) },
      2500,
      '500 ms (2500 ms with 2 endpoints and its standby)',
    ],
    [
      'three in a chain',
      { opa: opa('b'), b: opa('c', { timeout: '600ms' }), c: opa() },
      1600,
      '',
    ],
    [
      'a standby that answers at once',
      { opa: opa('own', { timeout: '1999ms' }), own: OWNERSHIP },
      1999,
      '',
    ],
    [
      'a standby that answers at once',
      { opa: opa('own', { timeout: '2s' }), own: OWNERSHIP },
      2000,
      '2000 ms',
    ],
  ])(
    'with %s must end before the deadline (%#)',
    async (_w, sources, wait, problem) => {
      expect(await problems(configOf(sources))).toEqual(
        problem === ''
          ? []
          : [
              `~.sources.opa.timeout: ${problem} is not shorter than the deadline of a whole decision, 2000 ms`,
            ],
      );
      const longer = configOf(sources, { deadline: '10s' });
      expect(longestWaits(await sourcesOf(longer)).get('opa')).toBe(wait);
    },
  );

  it('may take almost as long as the deadline', async () => {
    const raw = configOf({ opa: opa('b', { baseUrl: TWO }), b: opa() });
    expect(await problems({ ...raw, deadline: '1501ms' })).toEqual([]);
    expect(await problems({ ...raw, deadline: '1500ms' })).toEqual([
      '~.sources.opa.timeout: 500 ms (1500 ms with 2 endpoints and its standby) is not shorter than the deadline of a whole decision, 1500 ms',
    ]);
  });

  it('are reported wherever the sum is too long, also in the middle of a chain', async () => {
    const raw = configOf({ opa: opa('b'), b: opa('c'), c: opa() }, { deadline: '1s' });
    expect((await problems(raw)).map(problem => problem.split(': ')[0])).toEqual([
      '~.sources.opa.timeout',
      '~.sources.b.timeout',
    ]);
  });
});

describe('the time of a hosted source', () => {
  const hostedFor = (timeout: string, standby?: string): object => ({
    ...HOSTED,
    timeout,
    ...(standby === undefined ? {} : { standby }),
  });

  it.each<[what: string, sources: object, wait: number, ...problems: string[]]>([
    ['its own', { team: hostedFor('1999ms') }, 1999],
    [
      'its own and that of its standby',
      { team: hostedFor('1s', 'opa'), opa: OPA },
      1500,
    ],
    [
      'its own alone if its standby decides at once',
      { team: hostedFor('1999ms', 'own'), own: OWNERSHIP },
      1999,
    ],
    [
      'its own and that of its standbys, which is too long',
      { team: hostedFor('1s', 'second'), second: hostedFor('900ms', 'opa'), opa: OPA },
      2400,
      '~.sources.team.timeout: 1000 ms (2400 ms with its standby) is not shorter than the deadline of a whole decision, 2000 ms',
    ],
    [
      'its own and that of each endpoint of its standby, which is too long',
      {
        team: hostedFor('1s', 'opa'),
        opa: { ...OPA, baseUrl: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] },
      },
      2000,
      '~.sources.team.timeout: 1000 ms (2000 ms with its standby) is not shorter than the deadline of a whole decision, 2000 ms',
    ],
    [
      'added to that of the source whose standby it is',
      { opa: { ...OPA, standby: 'team' }, team: hostedFor('1500ms') },
      2000,
      '~.sources.opa.timeout: 500 ms (2000 ms with its standby) is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('is %s', async (_what, sources, wait, ...expected) => {
    const names = ['team', 'second'].filter(name => name in sources);
    const [first] = Object.keys(sources);
    expect(await problems(configOf(sources), { provided: hosted(...names) })).toEqual(
      expected,
    );
    const longer = configOf(sources, { deadline: '1h' });
    const read = await sourcesOf(longer, { provided: hosted(...names) });
    expect(longestWaits(read).get(first!)).toBe(wait);
  });
});

describe('fail-open', () => {
  const silences = (algorithm: string) =>
    `~.routes[0].onUnavailable: fail-open would silence the healthy sources of a route that combines by ${algorithm}; ` +
    "allowed: 'fail-closed', or combine: deny-overrides";
  const combining = (combine: string, changes: object = {}) =>
    config({ routes: [{ ...ROUTE, combine }], ...changes });
  const openSource = {
    sources: { opa: { ...OPA, onUnavailable: 'fail-open' }, ownership: OWNERSHIP },
  };

  it.each(['allow-overrides', 'first-applicable'])(
    'of the router is an error on a route of several sources by %s',
    async combine => {
      const raw = combining(combine, { onUnavailable: 'fail-open' });
      expect(await problems(raw)).toEqual([silences(combine)]);
    },
  );

  it.each(['allow-overrides', 'first-applicable'])(
    'of a source is an error on a route of several sources by %s',
    async combine => {
      expect(await problems(combining(combine, openSource))).toEqual([
        silences(combine),
      ]);
    },
  );

  it.each(['allow-overrides', 'first-applicable'])(
    'of the route is an error where it has several sources by %s',
    async combine => {
      const raw = withRoute({ combine, onUnavailable: 'fail-open' });
      expect(await problems(raw)).toEqual([silences(combine)]);
    },
  );

  it.each([
    ['is allowed by deny-overrides', combining('deny-overrides', openSource)],
    [
      'is allowed on a route of one source',
      withRoute({
        sources: ['opa'],
        combine: 'first-applicable',
        onUnavailable: 'fail-open',
      }),
    ],
    [
      'of the router is allowed if the source fails closed',
      {
        ...withOpa({ onUnavailable: 'fail-closed' }),
        onUnavailable: 'fail-open',
        routes: [{ ...ROUTE, combine: 'allow-overrides' }],
      },
    ],
    [
      'of a source is allowed if the route fails closed',
      config({
        ...openSource,
        routes: [
          { ...ROUTE, combine: 'allow-overrides', onUnavailable: 'fail-closed' },
        ],
      }),
    ],
    [
      'of the router is allowed on a route whose sources cannot be unavailable',
      config({
        onUnavailable: 'fail-open',
        routes: [
          { prefix: '', sources: ['ownership', 'deny'], combine: 'allow-overrides' },
        ],
      }),
    ],
  ])('%s', async (_rule, raw) => {
    expect(await problems(raw)).toEqual([]);
  });

  it.each(['fail-open', 'fail-closed'])(
    'or fail-closed is an error on a route whose sources cannot be unavailable: %s',
    async onUnavailable => {
      const raw = withRoute({ sources: ['ownership', 'allow', 'deny'], onUnavailable });
      expect(await problems(raw)).toEqual([
        '~.routes[0].onUnavailable: has no effect: none of the sources of this route can be unavailable',
      ]);
    },
  );
});

describe('fail-open with a hosted source', () => {
  const open = { ...HOSTED, onUnavailable: 'fail-open' };

  it.each<[what: string, raw: object]>([
    ['alone on a route', configOf({ team: open })],
    ['together with others that must agree', configOf({ team: open, own: OWNERSHIP })],
    [
      'by the route',
      configOf({ team: HOSTED }, {}, { sources: ['team'], onUnavailable: 'fail-open' }),
    ],
    [
      'that the route overrides',
      configOf(
        { team: open, own: OWNERSHIP },
        {},
        {
          sources: ['team', 'own'],
          combine: 'first-applicable',
          onUnavailable: 'fail-closed',
        },
      ),
    ],
  ])('may be %s', async (_what, raw) => {
    expect(await problems(raw, { provided: hosted('team') })).toEqual([]);
  });

  it.each(['first-applicable', 'allow-overrides'])(
    'must not silence the others of a route of %s',
    async combine => {
      const sources = { team: open, own: OWNERSHIP };
      const raw = configOf(sources, {}, { sources: ['own', 'team'], combine });
      expect(await problems(raw, { provided: hosted('team') })).toEqual([
        `~.routes[0].onUnavailable: fail-open would silence the healthy sources of a route that combines by ${combine}; allowed: 'fail-closed', or combine: deny-overrides`,
      ]);
    },
  );
});

describe('a warning about what is allowed, but perhaps not meant,', () => {
  it('names a source that no route uses', async () => {
    const raw = config({ routes: [{ prefix: '', sources: ['opa'] }] });
    expect(await warnings(raw)).toEqual([
      '~.sources.ownership: no route names this source',
    ]);
  });

  it('leaves out a standby of a used source, and the standby of that', async () => {
    const raw = config({
      sources: {
        opa: { ...OPA, standby: 'second' },
        second: { ...OPA, standby: 'ownership' },
        ownership: OWNERSHIP,
        spare: { ...OPA, standby: 'behind' },
        behind: OWNERSHIP,
      },
      routes: [{ prefix: '', sources: ['opa'] }],
    });
    expect(await warnings(raw)).toEqual([
      '~.sources.spare: no route names this source',
      '~.sources.behind: no route names this source',
    ]);
  });

  it.each<[open: string, route: object]>([
    ['a route to allow', { sources: ['allow'] }],
    [
      'a route that allows what its source abstains from',
      { sources: ['opa'], default: 'allow' },
    ],
    ['a route to allow and another source', { sources: ['opa', 'allow'] }],
    [
      'a route to allow or another source',
      { sources: ['opa', 'allow'], combine: 'allow-overrides' },
    ],
    [
      'a route to allow or deny',
      { sources: ['deny', 'allow'], combine: 'allow-overrides' },
    ],
    [
      'a route to a source, then allow',
      { sources: ['opa', 'allow', 'deny'], combine: 'first-applicable' },
    ],
  ])(
    'names a constrained prefix whose other permissions fall to %s',
    async (_open, route) => {
      const raw = withRoutes(
        { prefix: '', ...route },
        { prefix: 'catalog', actions: ['read', 'create'] },
      );
      expect(await warnings(raw)).toContain(
        "'catalog' [read, create] (~.routes[1]): other permissions of this prefix " +
          "(update, delete, none) fall to '*', which allows what no source denies",
      );
    },
  );

  it('names one whose other permissions fall to a fallback that allows', async () => {
    const route = {
      prefix: 'catalog',
      actions: ['update', 'delete'],
      resourceTypes: ['catalog-entity'],
    };
    expect(await warnings({ ...withRoutes(route), fallback: 'allow' })).toEqual([
      "'catalog' [update, delete] catalog-entity (~.routes[0]): other permissions of this prefix " +
        '(create, update, delete, none) fall to the fallback, which allows what no source denies',
    ]);
  });

  it.each<[closed: string, route: object]>([
    ['a route to a source', {}],
    ['a route to a source and deny', { sources: ['opa', 'deny'] }],
    ['a route to allow and deny', { sources: ['allow', 'deny'] }],
    [
      'a route to deny, then allow',
      { sources: ['deny', 'allow'], combine: 'first-applicable' },
    ],
    [
      'a route to deny or another source',
      { sources: ['opa', 'deny'], combine: 'allow-overrides' },
    ],
    [
      'a route to deny that would allow by default',
      { sources: ['deny'], default: 'allow' },
    ],
    ['the fallback, which denies', { prefix: 'scaffolder', sources: ['allow'] }],
  ])('leaves out one whose other permissions fall to %s', async (_closed, route) => {
    const raw = withRoutes(
      { prefix: '', ...route },
      { prefix: 'catalog', actions: ['read', 'create'], sources: ['ownership', 'opa'] },
    );
    expect(await warnings(raw)).toEqual([]);
  });

  it('names a route that no permission can reach', async () => {
    const raw = withRoutes(
      { prefix: '' },
      { prefix: '', actions: ['create', 'read', 'update', 'delete', 'none'] },
    );
    expect(await warnings(raw)).toEqual([
      "'*' (~.routes[0]): can never be reached: '*' [create, read, update, delete, none] already matches every action of '*'",
    ]);
  });

  it.each<[odd: string, route: object, warning: string]>([
    [
      'a prefix with a slash inside',
      { prefix: 'cost/all' },
      "'cost/all' (~.routes[0].prefix): %s",
    ],
    [
      'a name like a prefix',
      { name: 'catalog.entity.*' },
      "name 'catalog.entity.*' (~.routes[0].name): %p",
    ],
    ['a name that ends in a dot', { name: 'a.' }, "name 'a.' (~.routes[0].name): %p"],
    ['a name that ends in a slash', { name: 'a/' }, "name 'a/' (~.routes[0].name): %p"],
    ["the name '*'", { name: '*' }, "name '*' (~.routes[0].name): %p"],
    [
      'a name with white space at its beginning',
      { name: ' a' },
      "name ' a' (~.routes[0].name): %w",
    ],
    [
      'a name with white space at its end',
      { name: 'a\u00a0' },
      "name 'a\u00a0' (~.routes[0].name): %w",
    ],
    [
      'a name with a line break',
      { name: 'a\nb' },
      "name 'a\\u000ab' (~.routes[0].name): %w",
    ],
  ])('names %s', async (_odd, route, warning) => {
    expect(await warnings(withRoutes(route))).toEqual([
      warning
        .replace(
          '%s',
          "contains '/', but matches whole words joined by '.'; for all names that begin with it end it with '/', and for one exact name write 'name' in place of 'prefix'",
        )
        .replace(
          '%p',
          "looks like a prefix, but matches only this exact name; for all names that begin with it write 'prefix' in place of 'name'",
        )
        .replace(
          '%w',
          'begins or ends with white space, or contains invisible characters; a permission must have exactly this name',
        ),
    ]);
  });

  it('has no warning about names and prefixes that end in a slash', async () => {
    const raw = withRoutes(
      { prefix: 'ros/' },
      { prefix: 'ros/Openshift on Azure/' },
      { name: 'ros/Openshift on Azure/mobile, 1' },
      { name: 'a.b' },
      { name: 'übersicht/*/x' },
    );
    expect(await warnings(raw)).toEqual([]);
  });

  it('names a hosted source that no route uses', async () => {
    const raw = configOf({ team: HOSTED }, {}, { sources: ['deny'] });
    expect(await warnings(raw, { provided: hosted('team') })).toEqual([
      '~.sources.team: no route names this source',
    ]);
  });
});
