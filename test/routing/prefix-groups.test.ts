import { Slices } from '../../src/lib/slices';
import { groupByPrefix } from '../../src/routing/prefix-groups';
import { route, routeOf, type NamedRoute } from '../fixtures/builders';

const groupsOf = (routes: Array<NamedRoute | undefined>) =>
  groupByPrefix(routes, new Slices());

it('groups routes by their segments, in the order of the first of each', async () => {
  const groups = await groupsOf([
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

it('knows the shorter prefixes of each, also those without routes', async () => {
  const [long, top] = await groupsOf([route('a.b.c'), route('')]);
  const shorter = [];
  for (let next = long!.shorter; next; next = next.shorter) shorter.push(next);
  expect(shorter.map(({ members }) => members)).toEqual([[], [], [1]]);
  expect(shorter.at(-1)).toBe(top);
});

it('keeps segments apart that are members of objects', async () => {
  const groups = await groupsOf([route('__proto__'), route('constructor.toString')]);
  expect(groups.map(({ members }) => members)).toEqual([[0], [1]]);
});
