import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { Slices } from '../../src/lib/slices';
import { findCoverageGaps, type CoverageFinding } from '../../src/routing/coverage';
import { formatPattern, parsePrefix, type NamePattern } from '../../src/prefix';
import { ACTIONS, type Action, type RoutePattern } from '../../src/routing/route';
import { RoutingTable } from '../../src/routing/table';
import { findTies } from '../../src/routing/ties';
import { permission } from '../fixtures/builders';
import { bestRoutes } from './reference/routing';
import { coverageGaps, tiedGroups } from './reference/table-checks';

interface WrittenRoute {
  prefix: string;
  actions?: Action[];
  resourceTypes?: string[];
  /** Whether it allows what no source denies. */
  isOpen?: boolean;
}

// Only a few of each, so that routes overlap, tie and hide each other.
const SEGMENTS = ['a', 'ab', '__proto__', 'é', 'a/b'];
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
    isOpen: fc.boolean(),
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
        expect(parsePrefix(`${segments.join('.')}${ending}`)).toEqual({ segments });
      }),
      { numRuns: 200 },
    );
  });

  it('reads a prefix in only one way or refuses it', () => {
    const anyText = fc.string({
      unit: fc.constantFrom('a', 'B', '.', '*', ' ', 'é', '/'),
    });
    fc.assert(
      fc.property(anyText, text => {
        const pattern = parsed(text);
        if (pattern === undefined) return;
        expect(parsed(formatPattern(pattern))).toEqual(pattern);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Undefined if the prefix is refused. */
function parsed(prefix: string): NamePattern | undefined {
  try {
    return parsePrefix(prefix);
  } catch {
    return undefined;
  }
}

describe('findTies', () => {
  it('returns exactly the groups of routes that only their order distinguishes', async () => {
    await fc.assert(
      fc.asyncProperty(anyRoutes, async routes => {
        const groups = await findTies(routes, new Slices());
        const together = (first: number, second: number): boolean =>
          groups.some(group => group.includes(first) && group.includes(second));
        routes.forEach((first, index) =>
          routes.forEach((second, other) => {
            if (other <= index || !tie(first, second)) return;
            expect([index, other, together(index, other)]).toEqual([
              index,
              other,
              true,
            ]);
          }),
        );
        for (const member of groups.flat()) {
          const tied = routes.some(
            (other, index) => index !== member && tie(other, routes[member]!),
          );
          expect([member, tied]).toEqual([member, true]);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('returns the groups that a comparison of all pairs finds', async () => {
    await fc.assert(
      fc.asyncProperty(anyRoutes, async routes => {
        expect(await findTies(routes, new Slices())).toEqual(tiedGroups(routes));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('findCoverageGaps', () => {
  const unreachable = /can never be reached/;

  const isOpen = (route: RoutePattern): boolean =>
    (route as { isOpen?: boolean }).isOpen === true;

  async function gapsOf(
    routes: readonly RoutePattern[],
    isFallbackOpen = false,
  ): Promise<CoverageFinding[]> {
    const gaps: CoverageFinding[] = [];
    const openness = {
      isOpen: (index: number) => isOpen(routes[index]!),
      isFallbackOpen,
    };
    await findCoverageGaps(routes, openness, gap => gaps.push(gap), new Slices());
    return gaps;
  }

  it('finds what a comparison of all routes finds', async () => {
    // So few that every list is complete.
    const few = anyTable.map(routes => routes.slice(0, 6));
    await fc.assert(
      fc.asyncProperty(few, fc.boolean(), async (routes, isFallbackOpen) => {
        const gaps = await gapsOf(routes, isFallbackOpen);
        expect(gaps.map(({ route, message }) => `${route}: ${message}`)).toEqual(
          coverageGaps(routes, isOpen, isFallbackOpen),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('never calls a route unreachable that a permission reaches', async () => {
    await fc.assert(
      fc.asyncProperty(anyTable, async routes => {
        const reached = new Set(
          universe(routes).map(each => bestRoutes(routes, each)[0]),
        );
        for (const { route, message } of await gapsOf(routes)) {
          if (unreachable.test(message)) expect(reached).not.toContain(routes[route]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('reports every prefix whose permissions fall to an open place, but for reading opened by name', async () => {
    await fc.assert(
      fc.asyncProperty(anyTable, fc.boolean(), async (routes, isFallbackOpen) => {
        const reported = (await gapsOf(routes, isFallbackOpen))
          .filter(({ message }) => !unreachable.test(message))
          .map(({ route }) => routes[route]!.prefix);
        const falling = universe(routes).filter(asked => {
          const [best] = bestRoutes(routes, asked);
          const opens = best ? isOpen(best) : isFallbackOpen;
          const isRead = asked.attributes.action === 'read';
          const mayRead = routes.some(
            ({ prefix, actions }) =>
              prefix === asked.name && (actions?.includes('read') ?? true),
          );
          return best?.prefix !== asked.name && opens && (!isRead || mayRead);
        });
        expect(reported).toEqual(
          expect.arrayContaining([...new Set(falling.map(({ name }) => name))]),
        );
      }),
      { numRuns: 500 },
    );
  });
});
