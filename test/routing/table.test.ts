import type { Permission } from '@backstage/plugin-permission-common';
import { RoutingTable } from '../../src/routing/table';
import {
  permission,
  route,
  routeOf,
  routeOfName,
  type NamedRoute,
} from '../fixtures/builders';

/** Routes a permission, written `name [action] <resource type>`. */
function routed(routes: NamedRoute[], asked: string): string | undefined {
  const [, name, action, resourceType] = /^(.*?)(?: \[(.*)\])?(?: <(.*)>)?$/s.exec(
    asked,
  )!;
  const table = new RoutingTable(routes);
  return table.match(permission(name!, { action, resourceType }))?.name;
}

describe('a prefix', () => {
  const routes = [
    route('catalog'),
    route('catalog.entity'),
    route('catalog.entity.read'),
  ];

  it.each([
    ['matches the name equal to it', 'catalog.entity', 'catalog.entity'],
    ['matches names below it', 'catalog.entity.delete', 'catalog.entity'],
    ['matches names far below it', 'catalog.entity.a.b.c', 'catalog.entity'],
    ['never matches a part of a segment', 'catalog.entityx', 'catalog'],
    ['never matches a longer first segment', 'catalogx', undefined],
    ['never matches a shorter name', 'cat', undefined],
    ['matches in its letter case only', 'Catalog.entity', undefined],
    ['never matches from the middle', 'my.catalog.entity', undefined],
    ['wins by its length', 'catalog.entity.read', 'catalog.entity.read'],
    ['does not skip an empty segment', 'catalog..entity', 'catalog'],
    ['matches before a trailing dot', 'catalog.', 'catalog'],
    ['does not match behind a leading dot', '.catalog', undefined],
    ['does not match the empty name', '', undefined],
    ['does not match a lone dot', '.', undefined],
    ['is not trimmed to a name', ' catalog', undefined],
  ])('%s', (_rule, asked, expected) => {
    expect(routed(routes, asked)).toBe(expected);
  });

  it.each(['', '*'])("'%s' matches every name", prefix => {
    for (const name of ['catalog', 'a.b', '', '.', '..', '*', ' ', '__proto__'])
      expect(routed([route(prefix)], name)).toBe(prefix);
  });

  it.each(['catalog.', 'catalog.*'])("'%s' is 'catalog'", prefix => {
    expect(routed([route(prefix)], 'catalog')).toBe(prefix);
    expect(routed([route(prefix)], 'catalog.entity')).toBe(prefix);
    expect(routed([route(prefix)], 'catalogs')).toBeUndefined();
  });

  it('matches nothing if there are no routes', () => {
    expect(routed([], 'catalog')).toBeUndefined();
  });
});

describe('a prefix that ends in a slash', () => {
  const routes = [
    route('ros'),
    route('ros/'),
    route('ros/Openshift on Azure/'),
    route('ros/a.b'),
    route('x.y/'),
  ];

  it.each([
    ['matches the names that begin with it', 'ros/a', 'ros/'],
    ['matches itself', 'ros/', 'ros/'],
    ['matches whatever follows', 'ros/a.c/d, e//', 'ros/'],
    ['wins by its length', 'ros/Openshift on Azure/mobile', 'ros/Openshift on Azure/'],
    ['does not match without the slash', 'ros/Openshift on Azure', 'ros/'],
    ['leaves the names between dots to another prefix', 'ros.a', 'ros'],
    ['loses to a longer prefix of segments', 'ros/a.b.c', 'ros/a.b'],
    ['wins where that does not match', 'ros/a.bc', 'ros/'],
    ['is compared with the whole beginning', 'x.y/z', 'x.y/'],
    ['never matches from the middle', 'x/ros/a', undefined],
    ['matches in its letter case only', 'Ros/a', undefined],
  ])('%s', (_rule, asked, expected) => {
    expect(routed(routes, asked)).toBe(expected);
    expect(routed([...routes].reverse(), asked)).toBe(expected);
  });

  it('wins by more constraints over the same prefix of segments', () => {
    const same = [route('a/', { actions: ['read'] }), route('a/.*'), route('')];
    for (const each of [same, [...same].reverse()]) {
      expect(routed(each, 'a/.b [read]')).toBe('a/ [read]');
      expect(routed(each, 'a/.b')).toBe('a/.*');
      expect(routed(each, 'a/b [read]')).toBe('a/ [read]');
      expect(routed(each, 'a/b')).toBe('');
    }
    const other = [route('a/'), route('a/.*', { actions: ['read'] })];
    expect(routed(other, 'a/.b [read]')).toBe('a/.* [read]');
    expect(routed(other, 'a/.b')).toBe('a/');
    expect(routed(other, 'a/b [read]')).toBe('a/');
  });

  it('that does not fit is skipped for the next longest, of either kind', () => {
    const narrow = [
      route('a/b/', { actions: ['read'] }),
      route('a/b/c', { actions: ['update'] }),
      route('a/', { actions: ['delete'] }),
      route('', { actions: ['create'] }),
    ];
    expect(routed(narrow, 'a/b/c.d [read]')).toBe('a/b/ [read]');
    expect(routed(narrow, 'a/b/c.d [update]')).toBe('a/b/c [update]');
    expect(routed(narrow, 'a/b/c.d [delete]')).toBe('a/ [delete]');
    expect(routed(narrow, 'a/b/c.d [create]')).toBe(' [create]');
    expect(routed(narrow, 'a/b/c.d')).toBeUndefined();
  });
});

describe('an exact name', () => {
  const routes = [
    route(''),
    route('a.b'),
    route('cost/'),
    routeOfName('a.b', { actions: ['read'] }),
    routeOfName('cost/'),
    routeOfName('cost/a, b\n'),
    routeOfName('a.*'),
    routeOfName('__proto__'),
  ];

  it.each([
    ['wins over an equal prefix', 'a.b [read]', '= a.b [read]'],
    ['that does not fit is skipped', 'a.b [update]', 'a.b'],
    ['does not match names below it', 'a.b.c [read]', 'a.b'],
    ['wins over an equal prefix that ends in a slash', 'cost/', '= cost/'],
    ['does not match names that begin with it', 'cost/a', 'cost/'],
    ['may have any characters', 'cost/a, b\n', '= cost/a, b\n'],
    ['is no pattern', 'a.c', ''],
    ['is what it looks like', 'a.*', '= a.*'],
    ['may be that of a member of objects', '__proto__', '= __proto__'],
    ['matches in its letter case only', '__Proto__', ''],
  ])('%s', (_rule, asked, expected) => {
    expect(routed(routes, asked)).toBe(expected);
    expect(routed([...routes].reverse(), asked)).toBe(expected);
  });
});

describe('a constrained route', () => {
  const routes = [
    route(''),
    route('catalog', { actions: ['read'] }),
    route('catalog', { resourceTypes: ['location'] }),
    route('catalog.entity'),
    route('catalog.entity', { actions: ['update', 'delete'] }),
    route('catalog.entity', { actions: ['delete'], resourceTypes: ['catalog-entity'] }),
    route('catalog.none', { actions: ['none'] }),
  ];

  it.each([
    ['fits its action', 'catalog.entity [update]', 'catalog.entity [update,delete]'],
    ['does not fit another action', 'catalog.entity [read]', 'catalog.entity'],
    [
      'wins over a less constrained one of its prefix',
      'catalog.entity [delete] <catalog-entity>',
      'catalog.entity [delete] <catalog-entity>',
    ],
    [
      'leaves another resource type to the less constrained one',
      'catalog.entity [delete] <other>',
      'catalog.entity [update,delete]',
    ],
    [
      'of resource types does not fit a basic permission',
      'catalog.entity [delete]',
      'catalog.entity [update,delete]',
    ],
    [
      'loses to a longer prefix, however constrained',
      'catalog.entity [read] <location>',
      'catalog.entity',
    ],
    ['that does not fit is skipped for the next longest', 'catalog.other [create]', ''],
    ['is met below its prefix too', 'catalog.other.x [read]', 'catalog [read]'],
    [
      'of resource types fits whatever the action',
      'catalog.other [create] <location>',
      'catalog <location>',
    ],
    [
      "of 'none' fits a permission without an action",
      'catalog.none',
      'catalog.none [none]',
    ],
    [
      "of 'none' does not fit one with an action",
      'catalog.none [read]',
      'catalog [read]',
    ],
    ['does not fit an action Backstage does not know', 'catalog.x [toString]', ''],
    ['does not fit an action that is a member of objects', 'catalog.x [__proto__]', ''],
  ])('%s', (_rule, asked, expected) => {
    expect(routed(routes, asked)).toBe(expected);
  });

  it('that does not fit is skipped, down to no route at all', () => {
    const narrow = [
      route('a', { actions: ['read'] }),
      route('a.b', { actions: ['update'] }),
      route('a.b.c', { resourceTypes: ['x'] }),
    ];
    expect(routed(narrow, 'a.b.c [delete] <y>')).toBeUndefined();
  });

  it("of 'none' fits a permission without attributes", () => {
    const asked = { type: 'basic', name: 'a' } as Permission;
    const table = new RoutingTable([route('a', { actions: ['none'] })]);
    expect(table.match(asked)?.name).toBe('a [none]');
  });

  it('of resource types does not fit a basic permission that names one', () => {
    const asked = { ...permission('a'), resourceType: 'x' };
    const table = new RoutingTable([route('a', { resourceTypes: ['x'] })]);
    expect(table.match(asked)).toBeUndefined();
  });

  it('finds resource types named like members of objects', () => {
    const odd = [route('*', { resourceTypes: ['__proto__'] })];
    expect(routed(odd, 'a <__proto__>')).toBe('* <__proto__>');
    expect(routed(odd, 'a <constructor>')).toBeUndefined();
  });
});

describe('an odd name', () => {
  const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

  it.each(odd)("'%s' matches nothing unless a route names it", name => {
    expect(routed([route('catalog')], name)).toBeUndefined();
    expect(routed([route('catalog')], `catalog.${name}.${name}`)).toBe('catalog');
  });

  it.each(odd)("'%s' is a segment like any other", name => {
    const routes = [routeOf(name), routeOf('a', name)];
    expect(routed(routes, name)).toBe(name);
    expect(routed(routes, `a.${name}.x`)).toBe(`a.${name}`);
    expect(routed(routes, `${name}x`)).toBeUndefined();
  });

  it('is compared code unit by code unit, not as it looks', () => {
    const composed = 'caf\u00e9';
    const decomposed = 'cafe\u0301';
    expect(routed([routeOf(composed)], composed)).toBe(composed);
    expect(routed([routeOf(composed)], decomposed)).toBeUndefined();
    expect(routed([routeOf('日本')], '日本.語')).toBe('日本');
    expect(routed([routeOf('\ud83d\ude00')], '\ud83d\ude00.x')).toBe('\ud83d\ude00');
    expect(routed([routeOf('\ud83d\ude00')], '\ud83d')).toBeUndefined();
  });

  it.each([
    ['one segment of a megabyte', 'a'.repeat(1_000_000), undefined],
    ['a million segments', 'catalog' + '.a'.repeat(1_000_000), 'catalog'],
    ['a million dots', '.'.repeat(1_000_000), undefined],
    ['a million slashes', '/'.repeat(1_000_000), undefined],
    [
      'a matching segment before a megabyte',
      `catalog.${'é'.repeat(1_000_000)}`,
      'catalog',
    ],
  ])('of %s is matched like any other', (_rule, name, expected) => {
    expect(routed([route('catalog')], name)).toBe(expected);
  });
});

describe('a match costs the segments of the name, not the routes', () => {
  /** Counts the Map lookups of one match. */
  function lookups(table: RoutingTable<NamedRoute>, name: string): number {
    const get = jest.spyOn(Map.prototype, 'get');
    try {
      table.match(permission(name, { action: 'read', resourceType: 'x' }));
      return get.mock.calls.length;
    } finally {
      get.mockRestore();
    }
  }

  const tableOf = (count: number): RoutingTable<NamedRoute> =>
    new RoutingTable(
      Array.from({ length: count }, (_, index) => [
        route(`plugin${index}.a.b.c`),
        route('plugin1.a', { resourceTypes: [`type${index}`] }),
        route(`ros/${index}/a/`),
        routeOfName(`ros/${index}/a/b`),
      ]).flat(),
    );

  it('takes as many lookups among 40,000 routes as among 40', () => {
    const [small, large] = [tableOf(10), tableOf(10_000)];
    for (const name of [
      'plugin1',
      'plugin1.a',
      'plugin1.a.b.c.d',
      'other.a.b.c',
      'ros/1/a/b',
      'ros/1/a/c.d',
      'ros/x/a/b',
    ]) {
      expect(lookups(small, name)).toBeGreaterThan(0);
      expect(lookups(large, name)).toBe(lookups(small, name));
    }
  });

  it('takes no more lookups for a name longer than every prefix', () => {
    const table = tableOf(10);
    const name = 'plugin1.a.b.c.d';
    expect(lookups(table, `${name}${'.e'.repeat(1000)}`)).toBe(lookups(table, name));
    expect(lookups(table, `ros/1/a/x${'/e'.repeat(1000)}`)).toBe(
      lookups(table, 'ros/1/a/x/'),
    );
  });
});
