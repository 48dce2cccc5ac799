/** Tables of prefixes of segments, of prefixes that end in a slash, and of exact names. */
import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { Slices } from '../../src/lib/slices';
import { findCoverageGaps } from '../../src/routing/coverage';
import {
  formatPattern,
  matchesName,
  parseName,
  parsePrefix,
  textOf,
  type NamePattern,
} from '../../src/prefix';
import { ACTIONS, type Action } from '../../src/routing/route';
import { RoutingTable } from '../../src/routing/table';
import { findTies } from '../../src/routing/ties';
import { permission } from '../fixtures/builders';
import {
  bestOfAllKinds,
  endsInSlash,
  matches,
  writtenText,
  type WrittenRoute,
} from './reference/names';
import { coverageGaps, tiedGroups } from './reference/table-checks';

interface TestRoute extends WrittenRoute, NamePattern {
  readonly actions?: Action[];
  readonly resourceTypes?: string[];
  /** Whether it allows what no source denies. */
  readonly isOpen?: boolean;
}

// Only a few of each, so that routes overlap, tie and hide each other.
const WORDS = ['a', 'ab', '__proto__'];
const RESOURCE_TYPES = ['x', 'y'];

const joined = (
  separator: string,
  words: readonly string[],
  minLength: number,
): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...words), { minLength, maxLength: 3 })
    .map(parts => parts.join(separator));

const anySegments = joined('.', [...WORDS, 'a/b', '/', 'a/'], 0).chain(text =>
  text.endsWith('/')
    ? fc.constantFrom(`${text}.`, `${text}.*`)
    : fc.constantFrom(text, ...(text === '' ? ['*'] : [`${text}.*`])),
);
const anyStart = joined('/', [...WORDS, '', 'a.a', 'a b', '.'], 1)
  .filter(text => !text.startsWith(' '))
  .map(text => `${text}/`);
const anyExact = fc.oneof(
  anySegments.filter(text => text !== ''),
  anyStart,
  joined('/', [...WORDS, 'a b'], 1),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }),
);

const anyNames: fc.Arbitrary<{ prefix?: string; name?: string }> = fc.oneof(
  anySegments.map(prefix => ({ prefix })),
  anyStart.map(prefix => ({ prefix })),
  anyExact.map(name => ({ name })),
);

const anyRoute: fc.Arbitrary<TestRoute> = fc
  .tuple(
    anyNames,
    fc.record(
      {
        actions: fc.uniqueArray(fc.constantFrom(...ACTIONS), { minLength: 1 }),
        resourceTypes: fc.uniqueArray(fc.constantFrom(...RESOURCE_TYPES), {
          minLength: 1,
        }),
        isOpen: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([names, constraints]) => ({
    ...names,
    ...constraints,
    ...(names.name === undefined ? parsePrefix(names.prefix!) : parseName(names.name)),
  }));

const anyRoutes = fc.array(anyRoute, { maxLength: 10 });

/** Names that these routes can treat differently. */
const namesNear = (routes: readonly WrittenRoute[]): string[] => [
  ...new Set(
    ['', ...routes.map(writtenText)].flatMap(text =>
      ['', '.', '/', 'x', '.a', '/a', '.a/b', '/a.b'].map(rest => text + rest),
    ),
  ),
];

const permissionsNamed = (name: string): Permission[] =>
  [undefined, 'create', 'read', 'update', 'delete', 'strange'].flatMap(action =>
    [undefined, ...RESOURCE_TYPES, 'z'].map(resourceType =>
      permission(name, { action, resourceType }),
    ),
  );

const universe = (routes: readonly WrittenRoute[]): Permission[] =>
  namesNear(routes).flatMap(permissionsNamed);

/** The naive definition: a permission fits both and only their order decides. */
const tie = (first: WrittenRoute, second: WrittenRoute): boolean =>
  writtenText(first) === writtenText(second) &&
  permissionsNamed(writtenText(first)).some(
    asked => bestOfAllKinds([first, second], asked).length > 1,
  );

/** Keeps the first of routes that tie. */
const withoutTies = <R extends WrittenRoute>(routes: readonly R[]): R[] =>
  routes.reduce<R[]>(
    (kept, route) => (kept.some(each => tie(each, route)) ? kept : [...kept, route]),
    [],
  );

const anyTable = anyRoutes.map(withoutTies);

describe('the routing table', () => {
  it('returns the route that a scan of all routes finds, in any order', () => {
    const shuffled = anyTable.chain(routes =>
      fc.tuple(
        fc.constant(routes),
        fc.shuffledSubarray(routes, { minLength: routes.length }),
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', ' ') })),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([routes, others, names]) => {
        const [table, other] = [new RoutingTable(routes), new RoutingTable(others)];
        const asked = [...universe(routes), ...names.flatMap(permissionsNamed)];
        const wrong = asked.filter(each => {
          const [best, ...tied] = bestOfAllKinds(routes, each);
          return (
            tied.length > 0 || table.match(each) !== best || other.match(each) !== best
          );
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a pattern', () => {
  it('matches the names that its written form matches', () => {
    fc.assert(
      fc.property(anyRoute, anyRoute, (route, other) => {
        const wrong = namesNear([route, other]).filter(
          name => matchesName(route, name) !== matches(route, name),
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('of a prefix is read back from the way it is written in logs', () => {
    fc.assert(
      fc.property(fc.oneof(anySegments, anyStart), prefix => {
        const pattern = parsePrefix(prefix);
        expect(parsePrefix(formatPattern(pattern))).toEqual(pattern);
        expect(textOf(pattern)).toBe(writtenText({ prefix }));
      }),
      { numRuns: 500 },
    );
  });
});

describe('findTies', () => {
  it('returns the groups that a comparison of all pairs finds', async () => {
    await fc.assert(
      fc.asyncProperty(anyRoutes, async routes => {
        const groups = await findTies(routes, new Slices());
        expect(groups).toEqual(tiedGroups(routes));
        // And these are the routes that only their order distinguishes.
        const tied = routes.flatMap((route, index) =>
          routes.some((other, place) => place !== index && tie(route, other))
            ? [index]
            : [],
        );
        expect(groups.flat().sort((a, b) => a - b)).toEqual(tied);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('findCoverageGaps', () => {
  // A prefix of segments that ends in a slash and the same that ends in it are compared by their
  // constraints. The check looks at one prefix at a time, and so do these tests.
  const isUsual = (route: TestRoute): boolean =>
    route.kind !== undefined || !writtenText(route).endsWith('/');
  const few = anyTable.map(routes => routes.filter(isUsual).slice(0, 6));

  /** The checks are about actions that Backstage has. */
  const isOfBackstage = ({ attributes }: Permission): boolean =>
    attributes.action !== ('strange' as string);

  async function gapsOf(routes: readonly TestRoute[], isFallbackOpen: boolean) {
    const gaps: Array<{ route: number; message: string }> = [];
    const isOpen = (index: number) => routes[index]!.isOpen === true;
    await findCoverageGaps(
      routes,
      { isOpen, isFallbackOpen },
      gap => gaps.push(gap),
      new Slices(),
    );
    return gaps;
  }

  it('finds what a comparison of all routes finds', async () => {
    await fc.assert(
      fc.asyncProperty(few, fc.boolean(), async (routes, isFallbackOpen) => {
        const gaps = await gapsOf(routes, isFallbackOpen);
        expect(gaps.map(({ route, message }) => `${route}: ${message}`)).toEqual(
          coverageGaps(
            routes,
            route => (route as TestRoute).isOpen === true,
            isFallbackOpen,
          ),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('never calls a route unreachable that a permission reaches', async () => {
    await fc.assert(
      fc.asyncProperty(few, async routes => {
        const reached = new Set(
          universe(routes)
            .filter(isOfBackstage)
            .map(each => bestOfAllKinds(routes, each)[0]),
        );
        for (const { route, message } of await gapsOf(routes, false)) {
          if (/can never be reached/.test(message)) {
            expect(reached).not.toContain(routes[route]);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('reports every prefix and name whose permissions fall to an open place, but for reading opened by name', async () => {
    const sameNames = (a: TestRoute, b: TestRoute): boolean =>
      a.kind === b.kind && writtenText(a) === writtenText(b);
    await fc.assert(
      fc.asyncProperty(few, fc.boolean(), async (routes, isFallbackOpen) => {
        const reported = (await gapsOf(routes, isFallbackOpen))
          .filter(({ message }) => !/can never be reached/.test(message))
          .map(({ route }) => routes[route]!);
        for (const route of routes) {
          const group = routes.filter(each => sameNames(each, route));
          const mayRead = group.some(
            ({ actions }) => actions?.includes('read') ?? true,
          );
          // Of a prefix that ends in a slash, a name that no longer prefix and no name matches.
          const name = writtenText(route) + (endsInSlash(route) ? '~' : '');
          if (route.kind !== 'name' && routes.some(each => each.name === name))
            continue;
          const falls = permissionsNamed(name).some(asked => {
            if (!isOfBackstage(asked)) return false;
            const [best] = bestOfAllKinds(routes, asked);
            if (best && sameNames(best, route)) return false;
            if (asked.attributes.action === 'read' && !mayRead) return false;
            return best ? best.isOpen === true : isFallbackOpen;
          });
          expect([
            route,
            falls && !reported.some(each => sameNames(each, route)),
          ]).toEqual([route, false]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
