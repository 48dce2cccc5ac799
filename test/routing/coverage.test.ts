import { Slices } from '../../src/lib/slices';
import { findCoverageGaps } from '../../src/routing/coverage';
import { route, routeOfName, type NamedRoute } from '../fixtures/builders';

interface TestRoute extends NamedRoute {
  readonly isOpen?: boolean;
}

/** A route that allows what no source denies. */
const open = (...args: Parameters<typeof route>): TestRoute => ({
  ...route(...args),
  isOpen: true,
});

/** The findings as `index: message`. */
async function findings(
  routes: TestRoute[],
  fallback: 'allow' | 'deny' = 'deny',
): Promise<string[]> {
  const found: string[] = [];
  const openness = {
    isOpen: (index: number) => routes[index]!.isOpen === true,
    isFallbackOpen: fallback === 'allow',
  };
  await findCoverageGaps(
    routes,
    openness,
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
        "2: can never be reached: 'a' [create, read], 'a' [update, delete, none] already match every action of 'a'",
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
        "1: can never be reached: 'a' [create, read, update] x, y, 'a' [delete, none] x already match every action of 'a'",
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
        "1: can never be reached: 'a' [create, read, update, delete, none] x, 'a' [create, read, update, delete, none] y already match every action of 'a'",
      ],
    ],
    [
      'is one of a name',
      [
        routeOfName('a b'),
        routeOfName('a b', { actions: ['create', 'read', 'update', 'delete', 'none'] }),
      ],
      [
        "0: can never be reached: name 'a b' [create, read, update, delete, none] already matches every action of name 'a b'",
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

describe('a constrained prefix says where its other permissions are open:', () => {
  const OTHERS = 'other permissions of this prefix';
  const OPEN = 'which allows what no source denies';

  it.each<
    [where: string, routes: TestRoute[], fallback: 'allow' | 'deny', finding: string]
  >([
    [
      'at the next shorter prefix',
      [open('a'), route('a.b', { actions: ['update', 'delete'] })],
      'deny',
      `1: ${OTHERS} (create, none) fall to 'a', ${OPEN}`,
    ],
    [
      'at a prefix that is not the next shorter one',
      [open(''), route('a.b.c', { resourceTypes: ['x'] })],
      'deny',
      `1: ${OTHERS} (create, read, update, delete, none) fall to '*', ${OPEN}`,
    ],
    [
      'at the fallback',
      [route('a', { actions: ['read'] }), route('b')],
      'allow',
      `0: ${OTHERS} (create, update, delete, none) fall to the fallback, ${OPEN}`,
    ],
    [
      'at a route of some actions only',
      [route('a', { actions: ['create'] }), open('', { actions: ['delete', 'none'] })],
      'deny',
      `0: ${OTHERS} (delete, none) fall to '*' [delete, none], ${OPEN}`,
    ],
    [
      'at a route of some resource types only, and at the fallback',
      [
        route('a', { actions: ['read', 'create', 'update', 'none'] }),
        open('', { actions: ['delete'], resourceTypes: ['x', 'y'] }),
      ],
      'allow',
      `0: ${OTHERS} (delete) fall to '*' [delete] x, y or the fallback, ${OPEN}`,
    ],
    [
      'reading, if reading of some resource types has a route',
      [open('', { actions: ['read'] }), route('a', { resourceTypes: ['x'] })],
      'deny',
      `1: ${OTHERS} (read) fall to '*' [read], ${OPEN}`,
    ],
    [
      'reading too, if a route of the prefix is about reading of some resource types',
      [open(''), route('a', { actions: ['read', 'delete'], resourceTypes: ['x'] })],
      'deny',
      `1: ${OTHERS} (create, read, update, delete, none) fall to '*', ${OPEN}`,
    ],
    [
      "at a shorter prefix that ends in '/'",
      [open('a/'), route('a/b.c', { actions: ['read'] })],
      'deny',
      `1: ${OTHERS} (create, update, delete, none) fall to 'a/', ${OPEN}`,
    ],
    [
      "at a shorter prefix of segments, of one that ends in '/'",
      [open('a'), route('a.b/', { actions: ['read'] }), open('a.b')],
      'deny',
      `1: ${OTHERS} (create, update, delete, none) fall to 'a', ${OPEN}`,
    ],
    [
      'at a prefix, of a name',
      [open('a'), routeOfName('a', { actions: ['update', 'delete'] })],
      'deny',
      `1: other permissions of this name (create, none) fall to 'a', ${OPEN}`,
    ],
    [
      'once for all the routes of the prefix',
      [
        open(''),
        route('a', { actions: ['create'] }),
        route('a', { actions: ['update'] }),
        route('a', { actions: ['create'], resourceTypes: ['x'] }),
      ],
      'deny',
      `1: ${OTHERS} (delete, none) fall to '*', ${OPEN}`,
    ],
  ])('%s', async (_where, routes, fallback, finding) => {
    expect((await findings(routes, fallback))[0]).toBe(finding);
  });

  it.each<[why: string, routes: TestRoute[]]>([
    ['they fall to a fallback that denies', [route('a', { actions: ['read'] })]],
    ['a source decides them', [route('a'), route('a.b', { actions: ['update'] })]],
    [
      'a source decides them before a shorter prefix that is open',
      [open(''), route('a'), route('a.b', { actions: ['update'] })],
    ],
    [
      'routes of every action decide them before a shorter prefix that is open',
      [open(''), ...everyAction, route('a.b', { resourceTypes: ['x'] })],
    ],
    [
      'a route of the action is preferred to the open one',
      [
        open('a'),
        route('a', { actions: ['create', 'delete', 'none'] }),
        route('a.b', { actions: ['update'] }),
      ],
    ],
    [
      'reading was opened by name, and no route of the prefix is about reading',
      [
        open('a', { actions: ['read'] }),
        route('a.b', { actions: ['update', 'delete'] }),
      ],
    ],
    [
      'the open route has the same prefix',
      [open('a'), route('a', { actions: ['read'] })],
    ],
    [
      'the open route has a longer prefix',
      [open('a.b'), route('a', { actions: ['read'] })],
    ],
    [
      'the open route is that of a name',
      [{ ...routeOfName('a'), isOpen: true }, route('a', { actions: ['read'] })],
    ],
    [
      "a prefix that ends in '/' decides them",
      [open(''), route('a/'), routeOfName('a/b', { actions: ['read'] })],
    ],
    ['every action is taken', [open(''), ...everyAction]],
    ['there are no routes', []],
  ])('not if %s', async (_why, routes) => {
    expect(await findings(routes)).toEqual([]);
  });
});

describe('a list of many routes is cut', () => {
  const many = (count: number, routeAt: (index: number) => TestRoute): TestRoute[] =>
    Array.from({ length: count }, (_, index) => routeAt(index));

  it('in what opens the rest', async () => {
    const routes = [
      ...many(12, index => open('a', { resourceTypes: [`t${index}`] })),
      route('a.b', { actions: ['read'] }),
    ];
    expect(await findings(routes)).toEqual([
      "12: other permissions of this prefix (create, update, delete, none) fall to 'a' t0, 'a' t1, " +
        "'a' t2, 'a' t3, 'a' t4 or other routes, which allows what no source denies",
    ]);
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
    const [said] = await findings(routes);
    expect(said).toContain("none] t4 and 7 more already match every action of 'a'");
    expect(said).not.toContain(' t5');
  });
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
