import { Slices } from '../../src/lib/slices';
import { groupByPrefix } from '../../src/routing/prefix-groups';
import { parsePrefix } from '../../src/prefix';
import { route, routeOf, routeOfName, type NamedRoute } from '../fixtures/builders';

const groupsOf = (routes: Array<NamedRoute | undefined>) =>
  groupByPrefix(routes, new Slices());

/** The members of the groups whose prefix is wider than that of the first route. */
async function widerThanFirst(routes: NamedRoute[]): Promise<number[][]> {
  const { groups, wider } = await groupsOf(routes);
  return wider(groups[0]!).map(({ members }) => [...members]);
}

it('groups routes by their segments, in the order of the first of each', async () => {
  const { groups } = await groupsOf([
    route('b'),
    route('a.b'),
    undefined,
    route('b', { actions: ['read'] }),
    routeOf('a.b'),
    route(''),
    route('a.b'),
  ]);
  expect(groups.map(({ members }) => members)).toEqual([[0, 3], [1, 6], [4], [5]]);
});

it('keeps a prefix of segments, one that ends in a slash and a name apart', async () => {
  const { groups } = await groupsOf([
    route('a/.*'),
    route('a/'),
    routeOfName('a/'),
    route('a/'),
  ]);
  expect(groups.map(({ members }) => members)).toEqual([[0], [1, 3], [2]]);
});

it('groups by another pattern, if it is given', async () => {
  const { groups } = await groupByPrefix([route('a'), route('b')], new Slices(), () =>
    parsePrefix('c'),
  );
  expect(groups.map(({ members }) => members)).toEqual([[0, 1]]);
});

describe('knows the wider prefixes, longest first,', () => {
  it.each<[of: string, routes: NamedRoute[], wider: number[][]]>([
    [
      'of a prefix of segments',
      [route('a.b.c'), route(''), route('a'), route('a.b.cd'), route('b')],
      [[2], [1]],
    ],
    [
      'of one that ends in a slash',
      [
        route('a.b/c/'),
        route(''),
        route('a'),
        route('a.b'),
        route('a.b/'),
        route('a/'),
      ],
      [[4], [2], [1]],
    ],
    [
      'of segments with slashes',
      [
        route('a/b.c'),
        route('a/'),
        route('a/b'),
        route('a'),
        route('a/b/'),
        route('*'),
      ],
      [[2], [1], [5]],
    ],
    [
      'of a name',
      [
        routeOfName('a/b.c'),
        route('a/b'),
        route('a/b.c'),
        route('a/'),
        routeOfName('a/b'),
      ],
      [[2], [1], [3]],
    ],
    [
      'of segments that end in a slash: the same that ends in it',
      [route('a/.*'), route('a/'), routeOfName('a/')],
      [[1]],
    ],
    [
      'which do not have the same names',
      [route('a/'), route('a/.*'), routeOfName('a/')],
      [],
    ],
  ])('%s', async (_of, routes, wider) => {
    expect(await widerThanFirst(routes)).toEqual(wider);
  });
});

it('keeps segments apart that are members of objects', async () => {
  const { groups } = await groupsOf([
    route('__proto__'),
    route('constructor.toString'),
  ]);
  expect(groups.map(({ members }) => members)).toEqual([[0], [1]]);
});
