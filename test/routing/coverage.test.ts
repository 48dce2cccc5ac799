import { Slices } from '../../src/lib/slices';
import { findCoverageGaps } from '../../src/routing/coverage';
import { route, type NamedRoute } from '../fixtures/builders';

/** The findings as `index: message`. */
async function findings(routes: NamedRoute[]): Promise<string[]> {
  const found: string[] = [];
  await findCoverageGaps(
    routes,
    'the fallback (deny)',
    ({ route: index, message }) => found.push(`${index}: ${message}`),
    new Slices(),
  );
  return found;
}

const everyAction = [
  route('a', { actions: ['create', 'read'] }),
  route('a', { actions: ['update', 'delete', 'none'] }),
];

describe('a route that no permission can reach', () => {
  it.each([
    [
      'is one whose every action other routes take',
      [...everyAction, route('a')],
      [
        "2: can never be reached: routes[0], routes[1] already match every action of 'a'",
      ],
    ],
    [
      'is one of resource types whose every action they take',
      [
        route('a'),
        route('a', { resourceTypes: ['x'] }),
        route('a', {
          actions: ['create', 'read', 'update'],
          resourceTypes: ['x', 'y'],
        }),
        route('a', { actions: ['delete', 'none'], resourceTypes: ['x'] }),
      ],
      [
        "1: can never be reached: routes[2], routes[3] already match every action of 'a'",
      ],
    ],
    [
      'is one of resource types that other routes take one by one',
      [
        route('a'),
        route('a', { resourceTypes: ['x', 'y'] }),
        route('a', {
          actions: ['create', 'read', 'update', 'delete', 'none'],
          resourceTypes: ['x'],
        }),
        route('a', {
          actions: ['create', 'read', 'update', 'delete', 'none'],
          resourceTypes: ['y'],
        }),
      ],
      [
        "1: can never be reached: routes[2], routes[3] already match every action of 'a'",
      ],
    ],
    [
      "is not one that keeps the permissions without an action ('none')",
      [route('a', { actions: ['create', 'read', 'update', 'delete'] }), route('a')],
      [],
    ],
    [
      'is not one that keeps another resource type',
      [
        route('a'),
        route('a', { resourceTypes: ['x', 'y'] }),
        route('a', {
          actions: ['create', 'read', 'update', 'delete', 'none'],
          resourceTypes: ['x'],
        }),
      ],
      [],
    ],
    [
      'is not one that keeps the basic permissions',
      [
        route('a'),
        route('a', {
          actions: ['create', 'read', 'update', 'delete', 'none'],
          resourceTypes: ['x'],
        }),
      ],
      [],
    ],
    [
      'is not one whose longer prefixes take every action: its own name is left',
      [
        route('a'),
        route('a.b', { actions: ['create', 'read', 'update', 'delete', 'none'] }),
      ],
      [],
    ],
  ])('%s', async (_rule, routes, expected) => {
    expect(await findings(routes)).toEqual(expected);
  });
});

describe('a constrained prefix says where its other permissions fall', () => {
  it.each([
    [
      'to the fallback, where no shorter prefix is',
      [route('a', { actions: ['read'] }), route('b')],
      [
        "0: prefix 'a' has no route without constraints: its other permissions fall to the fallback (deny)",
      ],
    ],
    [
      'to the fallback, where the prefix is empty',
      [route('', { actions: ['read'] })],
      [
        "0: prefix '*' has no route without constraints: its other permissions fall to the fallback (deny)",
      ],
    ],
    [
      'to the next longest prefix without constraints, and no further',
      [route(''), route('a'), route('a.b.c', { resourceTypes: ['x'] })],
      [
        "2: prefix 'a.b.c' has no route without constraints: its other permissions fall to routes[1]",
      ],
    ],
    [
      'to constrained routes where they fit, else to the fallback',
      [
        route('a.b', { resourceTypes: ['x'] }),
        route('a', { actions: ['read'] }),
        route('', { actions: ['none'] }),
      ],
      [
        "0: prefix 'a.b' has no route without constraints: its other permissions fall to routes[1], routes[2] where they fit, else to the fallback (deny)",
        "1: prefix 'a' has no route without constraints: its other permissions fall to routes[2] where they fit, else to the fallback (deny)",
        "2: prefix '*' has no route without constraints: its other permissions fall to the fallback (deny)",
      ],
    ],
    [
      'to constrained routes and then to the one without constraints',
      [
        route('a.b', { resourceTypes: ['x'] }),
        route('a', { actions: ['read'] }),
        route('a'),
      ],
      [
        "0: prefix 'a.b' has no route without constraints: its other permissions fall to routes[1], routes[2]",
      ],
    ],
    [
      'to constrained routes that together take every action',
      [route('a.b', { resourceTypes: ['x'] }), ...everyAction],
      [
        "0: prefix 'a.b' has no route without constraints: its other permissions fall to routes[1], routes[2]",
      ],
    ],
    [
      'to the fallback too, where they take every action only of some resource types',
      [
        route('a.b', { actions: ['read'] }),
        route('a', { actions: ['create', 'read', 'update'] }),
        route('a', { actions: ['delete', 'none'], resourceTypes: ['x'] }),
      ],
      [
        "0: prefix 'a.b' has no route without constraints: its other permissions fall to routes[1], routes[2] where they fit, else to the fallback (deny)",
        "1: prefix 'a' has no route without constraints: its other permissions fall to the fallback (deny)",
      ],
    ],
    [
      'once for all the routes of the prefix',
      [
        route('a', { actions: ['read'] }),
        route('a', { actions: ['update'] }),
        route('a', { actions: ['read'], resourceTypes: ['x'] }),
      ],
      [
        "0: prefix 'a' has no route without constraints: its other permissions fall to the fallback (deny)",
      ],
    ],
  ])('%s', async (_rule, routes, expected) => {
    expect(await findings(routes)).toEqual(expected);
  });

  it.each([
    [
      'not when a route without constraints catches them',
      [route('a'), route('a.b'), route('a.b', { actions: ['read'] })],
    ],
    ['not when every action is taken', everyAction],
    ['not when there are no routes', []],
  ])('%s', async (_rule, routes) => {
    expect(await findings(routes)).toEqual([]);
  });
});

describe('a list of many routes is cut', () => {
  const many = (count: number, routeAt: (index: number) => NamedRoute): NamedRoute[] =>
    Array.from({ length: count }, (_, index) => routeAt(index));

  it('in what decides the rest', async () => {
    const routes = [
      ...many(12, index => route('a', { resourceTypes: [`t${index}`] })),
      route('a.b', { actions: ['read'] }),
      route('', { actions: ['none'] }),
    ];
    expect((await findings(routes))[1]).toBe(
      "12: prefix 'a.b' has no route without constraints: its other permissions fall to " +
        'routes[0], routes[1], routes[2], routes[3], routes[4], routes[5], routes[6], ' +
        'routes[7], routes[8], routes[9] and 3 more where they fit, else to the fallback (deny)',
    );
  });

  it('across prefixes', async () => {
    const routes = [
      route('a.b.c', { actions: ['read'] }),
      ...many(6, index => route('a.b', { resourceTypes: [`t${index}`] })),
      ...many(6, index => route('a', { resourceTypes: [`t${index}`] })),
    ];
    expect((await findings(routes))[0]).toContain('routes[10] and 2 more where');
  });

  it('in what makes a route unreachable', async () => {
    const types = many(12, index =>
      route('a', {
        actions: ['create', 'read', 'update', 'delete', 'none'],
        resourceTypes: [`t${index}`],
      }),
    );
    const all = Array.from({ length: 12 }, (_, index) => `t${index}`);
    const routes = [...types, route('a', { resourceTypes: all }), route('a')];
    expect(await findings(routes)).toEqual([
      '12: can never be reached: routes[0], routes[1], routes[2], routes[3], routes[4], ' +
        'routes[5], routes[6], routes[7], routes[8], routes[9] and 2 more ' +
        "already match every action of 'a'",
    ]);
  });
});

it('a long prefix is cut', async () => {
  const [said] = await findings([route('a'.repeat(200), { actions: ['read'] })]);
  expect(said).toContain(`prefix '${'a'.repeat(99)}…' has`);
});

describe('the work grows with the number of routes', () => {
  /** Counts the look-ups in maps and sets, and the additions to them. */
  async function steps(routes: NamedRoute[]): Promise<number> {
    const spies = [
      jest.spyOn(Map.prototype, 'get'),
      jest.spyOn(Map.prototype, 'set'),
      jest.spyOn(Set.prototype, 'add'),
    ];
    try {
      await findings(routes);
      return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  }

  it.each<[what: string, routeAt: (index: number) => NamedRoute]>([
    ['constrained prefixes', index => route(`p${index}`, { actions: ['read'] })],
    [
      'constrained prefixes below one of many routes',
      index =>
        index % 2 === 0
          ? route('p', { resourceTypes: [`t${index}`] })
          : route(`p.q${index}`, { actions: ['read'] }),
    ],
    [
      'resource types of one prefix',
      index => route('p', { resourceTypes: [`t${index}`] }),
    ],
    [
      'both constraints',
      index =>
        index % 2 === 0
          ? route('p', { resourceTypes: [`t${index}`] })
          : route('p', { actions: ['read'], resourceTypes: [`t${index - 1}`] }),
    ],
  ])('ten times for ten times as many: %s', async (_what, routeAt) => {
    const many = (count: number): NamedRoute[] =>
      Array.from({ length: count }, (_, index) => routeAt(index));
    expect(await steps(many(2000))).toBeLessThan(12 * (await steps(many(200))));
  });
});
