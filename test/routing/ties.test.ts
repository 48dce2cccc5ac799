import { Slices } from '../../src/lib/slices';
import { findTies } from '../../src/routing/ties';
import { route, routeOf, routeOfName, type NamedRoute } from '../fixtures/builders';

describe('findTies', () => {
  it.each<[rule: string, routes: Array<NamedRoute | undefined>, ties: number[][]]>([
    ['equal prefixes tie', [route('a'), route('a')], [[0, 1]]],
    ['different prefixes do not tie', [route('a'), route('a.b'), route('')], []],
    [
      "spellings of one prefix tie ('a.' and 'a.*')",
      [route('a.'), route('a.*')],
      [[0, 1]],
    ],
    ["spellings of one prefix tie ('' and '*')", [route(''), route('*')], [[0, 1]]],
    ["equal prefixes that end in '/' tie", [route('a/'), route('a/')], [[0, 1]]],
    [
      "a prefix that ends in '/' ties with the same of segments",
      [route('a/.*'), route('a/')],
      [[0, 1]],
    ],
    [
      '… of the same number of constraints',
      [
        route('a/.*', { actions: ['read'] }),
        route('a/'),
        route('a/', { actions: ['read'] }),
      ],
      [[0, 2]],
    ],
    [
      "a prefix that ends in '/' does not tie with one without it",
      [route('a'), route('a/')],
      [],
    ],
    ['equal names tie', [routeOfName('a b'), routeOfName('a b')], [[0, 1]]],
    [
      'a name does not tie with a prefix',
      [
        routeOfName('a'),
        route('a'),
        routeOfName('a/'),
        route('a/'),
        routeOfName('a.'),
        routeOfName('*'),
        route('*'),
      ],
      [],
    ],
    [
      'disjoint actions do not tie',
      [route('a', { actions: ['read'] }), route('a', { actions: ['update', 'none'] })],
      [],
    ],
    [
      'a shared action ties',
      [
        route('a', { actions: ['read', 'update'] }),
        route('a', { actions: ['update'] }),
      ],
      [[0, 1]],
    ],
    [
      'disjoint resource types do not tie',
      [route('a', { resourceTypes: ['x'] }), route('a', { resourceTypes: ['y'] })],
      [],
    ],
    [
      'a shared resource type ties',
      [route('a', { resourceTypes: ['x', 'y'] }), route('a', { resourceTypes: ['y'] })],
      [[0, 1]],
    ],
    [
      'actions only and resource types only tie: some permission fits both',
      [route('a', { actions: ['read'] }), route('a', { resourceTypes: ['x'] })],
      [[0, 1]],
    ],
    [
      'more constraints do not tie with fewer',
      [
        route('a'),
        route('a', { actions: ['read'] }),
        route('a', { actions: ['read'], resourceTypes: ['x'] }),
      ],
      [],
    ],
    [
      'two constraints tie when both overlap',
      [
        route('a', { actions: ['read'], resourceTypes: ['x'] }),
        route('a', { actions: ['read', 'none'], resourceTypes: ['x', 'y'] }),
      ],
      [[0, 1]],
    ],
    [
      'two constraints do not tie when one of them is disjoint',
      [
        route('a', { actions: ['read'], resourceTypes: ['x'] }),
        route('a', { actions: ['read'], resourceTypes: ['y'] }),
        route('a', { actions: ['update'], resourceTypes: ['x', 'y'] }),
      ],
      [],
    ],
    [
      'a larger tie is one group',
      [route('a'), route('b'), route('a'), route('a')],
      [[0, 2, 3]],
    ],
    [
      'ties are groups in the order of the table',
      [route('b'), route('a'), route('c'), route('a'), route('b')],
      [
        [0, 4],
        [1, 3],
      ],
    ],
    [
      'routes that tie with the same one are one group',
      [
        route('a', { actions: ['read'] }),
        route('a', { actions: ['update'] }),
        route('a', { actions: ['delete'] }),
        route('a', { actions: ['delete', 'update', 'read'] }),
      ],
      [[0, 1, 2, 3]],
    ],
    [
      'routes that tie in turn are one group',
      [
        route('a', { actions: ['create'], resourceTypes: ['z', 'x'] }),
        route('a', { actions: ['read', 'update'], resourceTypes: ['x'] }),
        route('a', { actions: ['read', 'create'], resourceTypes: ['x'] }),
      ],
      [[0, 1, 2]],
    ],
    [
      'groups that meet late are one group',
      [
        route('a', { actions: ['update'] }),
        route('a', { actions: ['read'] }),
        route('a', { actions: ['read'] }),
        route('a', { actions: ['update'] }),
        route('a', { actions: ['none'] }),
        route('a', { actions: ['read', 'update'] }),
      ],
      [[0, 1, 2, 3, 5]],
    ],
    [
      'all actions-only and resource-types-only routes of a prefix are one group',
      [
        route('a', { actions: ['read'] }),
        route('a', { resourceTypes: ['x'] }),
        route('a', { actions: ['update'] }),
        route('a', { resourceTypes: ['y'] }),
        route('a', { actions: ['read'], resourceTypes: ['x'] }),
      ],
      [[0, 1, 2, 3]],
    ],
    [
      'routes that could not be read are left out',
      [undefined, route('a'), undefined, route('a')],
      [[1, 3]],
    ],
    [
      'segments that join to the same text do not tie',
      [routeOf('a', 'b'), routeOf('a.b')],
      [],
    ],
  ])('%s', async (_rule, routes, ties) => {
    expect(await findTies(routes, new Slices())).toEqual(ties);
  });
});

describe('a tie of thousands of routes', () => {
  /** Counts the look-ups in maps and the additions to them. */
  async function steps(routes: NamedRoute[]): Promise<number> {
    const get = jest.spyOn(Map.prototype, 'get');
    const set = jest.spyOn(Map.prototype, 'set');
    try {
      await findTies(routes, new Slices());
      return get.mock.calls.length + set.mock.calls.length;
    } finally {
      get.mockRestore();
      set.mockRestore();
    }
  }

  it.each<[what: string, routeAt: (index: number, count: number) => NamedRoute]>([
    ['copies of one route', () => route('a')],
    ['the same action', () => route('a', { actions: ['read', 'update'] })],
    [
      'a resource type that all share',
      index => route('a', { resourceTypes: [`t${index}`, 'x'] }),
    ],
    [
      'one after the other',
      index => route('a', { resourceTypes: [`t${index}`, `t${index + 1}`] }),
    ],
    [
      'from the last to the first',
      (index, count) => {
        const last = count - index;
        return route('a', {
          resourceTypes:
            index < count / 2 ? [`t${index}`] : [`t${last}`, `t${last - 1}`],
        });
      },
    ],
    [
      'actions or resource types',
      index =>
        index % 2 === 0
          ? route('a', { actions: ['read'] })
          : route('a', { resourceTypes: [`t${index}`] }),
    ],
    [
      'both constraints',
      index => route('a', { actions: ['read'], resourceTypes: [`t${index}`, 'x'] }),
    ],
  ])('costs ten times as much for ten times as many: %s', async (_what, routeAt) => {
    const many = (count: number): NamedRoute[] =>
      Array.from({ length: count }, (_, index) => routeAt(index, count));
    const all = Array.from({ length: 2000 }, (_, index) => index);
    expect(await findTies(many(2000), new Slices())).toEqual([all]);
    expect(await steps(many(2000))).toBeLessThan(15 * (await steps(many(200))));
  });
});
