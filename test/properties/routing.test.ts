import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { findCoverageGaps } from '../../src/routing/coverage';
import { formatPrefix, parsePrefix } from '../../src/routing/prefix';
import { ACTIONS, type Action } from '../../src/routing/route';
import { findTies, RoutingTable } from '../../src/routing/table';
import { permission } from '../fixtures/builders';
import { bestRoutes } from './reference/routing';

interface WrittenRoute {
  prefix: string;
  actions?: Action[];
  resourceTypes?: string[];
}

// Only a few of each, so that routes overlap, tie and hide each other.
const SEGMENTS = ['a', 'ab', '__proto__', 'é'];
const RESOURCE_TYPES = ['x', 'y', 'constructor'];
const ASKED_ACTIONS = [undefined, 'create', 'read', 'update', 'delete', 'strange'];

const anyPrefix = fc
  .array(fc.constantFrom(...SEGMENTS), { maxLength: 2 })
  .map(segments => segments.join('.'));

const anyRoute: fc.Arbitrary<WrittenRoute> = fc.record(
  {
    prefix: anyPrefix,
    actions: fc.uniqueArray(fc.constantFrom(...ACTIONS), { minLength: 1 }),
    resourceTypes: fc.uniqueArray(fc.constantFrom(...RESOURCE_TYPES), { minLength: 1 }),
  },
  { requiredKeys: ['prefix'] },
);

/** Names like the prefixes: equal, longer, with empty and unknown segments. */
const anyName = fc.oneof(
  fc
    .array(fc.constantFrom(...SEGMENTS, '', 'abc', 'A'), { maxLength: 5 })
    .map(segments => segments.join('.')),
  fc.string({ unit: 'binary' }),
);

const anyPermission: fc.Arbitrary<Permission> = fc
  .tuple(
    anyName,
    fc.constantFrom(...ASKED_ACTIONS),
    fc.constantFrom(undefined, ...RESOURCE_TYPES, 'z'),
  )
  .map(([name, action, resourceType]) => permission(name, { action, resourceType }));

const compile = <R extends WrittenRoute>(route: R) => ({
  ...route,
  segments: route.prefix === '' ? [] : route.prefix.split('.'),
});

const anyRoutes = fc
  .array(anyRoute, { maxLength: 12 })
  .map(routes => routes.map(compile));

/** Every kind of permission that these routes can treat differently, for each prefix. */
const universe = (routes: readonly WrittenRoute[]): Permission[] =>
  [...new Set(routes.map(({ prefix }) => prefix))].flatMap(name =>
    [undefined, 'create', 'read', 'update', 'delete'].flatMap(action =>
      [undefined, ...RESOURCE_TYPES, 'z'].map(resourceType =>
        permission(name, { action, resourceType }),
      ),
    ),
  );

/** The naive definition: a permission fits both and only their order decides. */
const tie = (first: WrittenRoute, second: WrittenRoute): boolean =>
  first.prefix === second.prefix &&
  universe([first]).some(asked => bestRoutes([first, second], asked).length > 1);

/** Keeps the first of routes that tie. */
const withoutTies = <R extends WrittenRoute>(routes: readonly R[]): R[] =>
  routes.reduce<R[]>(
    (kept, route) => (kept.some(each => tie(each, route)) ? kept : [...kept, route]),
    [],
  );

const anyTable = anyRoutes.map(withoutTies);

describe('the routing table', () => {
  it('returns the route that a scan of all routes finds', () => {
    fc.assert(
      fc.property(anyTable, fc.array(anyPermission), (routes, asked) => {
        const table = new RoutingTable(routes);
        const wrong = [...asked, ...universe(routes)].filter(
          each => table.match(each) !== bestRoutes(routes, each)[0],
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('returns the same route in any order of the routes', () => {
    const shuffled = anyTable.chain(routes =>
      fc.tuple(
        fc.constant(routes),
        fc.shuffledSubarray(routes, { minLength: routes.length }),
        fc.array(anyPermission),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([routes, others, asked]) => {
        const [table, other] = [new RoutingTable(routes), new RoutingTable(others)];
        const wrong = [...asked, ...universe(routes)].filter(
          each => table.match(each) !== other.match(each),
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('parsePrefix', () => {
  const anyEnding = fc.constantFrom('', '.', '.*');
  const anyWord = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);

  it("ignores '.' and '.*' at the end of a prefix", () => {
    const words = fc.array(anyWord, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(words, anyEnding, (segments, ending) => {
        expect(parsePrefix(`${segments.join('.')}${ending}`)).toEqual(segments);
      }),
      { numRuns: 200 },
    );
  });

  it('reads a prefix in only one way or refuses it', () => {
    const anyText = fc.string({ unit: fc.constantFrom('a', 'B', '.', '*', ' ', 'é') });
    fc.assert(
      fc.property(anyText, text => {
        const segments = parsed(text);
        if (segments === undefined) return;
        expect(parsed(formatPrefix(segments))).toEqual(segments);
      }),
      { numRuns: 1000 },
    );
  });
});

/** The segments of a prefix; undefined if it is refused. */
function parsed(prefix: string): readonly string[] | undefined {
  try {
    return parsePrefix(prefix);
  } catch {
    return undefined;
  }
}

describe('findTies', () => {
  it('returns exactly the pairs of routes that only their order distinguishes', () => {
    fc.assert(
      fc.property(anyRoutes, routes => {
        const tied = routes.flatMap((first, index) =>
          routes.flatMap((second, other) =>
            other > index && tie(first, second) ? [[index, other]] : [],
          ),
        );
        const byIndex = ([a, b]: number[], [c, d]: number[]) => a! - c! || b! - d!;
        expect(findTies(routes).sort(byIndex)).toEqual(tied.sort(byIndex));
      }),
      { numRuns: 200 },
    );
  });
});

describe('findCoverageGaps', () => {
  const unreachable = /can never be reached/;

  it('never calls a route unreachable that a permission reaches', () => {
    fc.assert(
      fc.property(anyTable, routes => {
        const reached = new Set(
          universe(routes).map(each => bestRoutes(routes, each)[0]),
        );
        for (const { route, message } of findCoverageGaps(routes, 'the fallback')) {
          if (unreachable.test(message)) expect(reached).not.toContain(routes[route]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('reports every prefix whose permissions fall to a shorter one', () => {
    fc.assert(
      fc.property(anyTable, routes => {
        const reported = findCoverageGaps(routes, 'the fallback')
          .filter(({ message }) => !unreachable.test(message))
          .map(({ route }) => routes[route]!.prefix);
        const falling = universe(routes)
          .filter(each => bestRoutes(routes, each)[0]?.prefix !== each.name)
          .map(({ name }) => name);
        expect(new Set(reported)).toEqual(new Set(falling));
      }),
      { numRuns: 500 },
    );
  });
});
