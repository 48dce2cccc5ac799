import { routeLabel } from '../../src/routing/label';
import { route, routeOf, routeOfName } from '../fixtures/builders';

it.each([
  [route('catalog'), "'catalog'"],
  [route(''), "'*'"],
  [route('a.b', { actions: ['update', 'none'] }), "'a.b' [update, none]"],
  [route('a.b', { resourceTypes: ['x', 'y'] }), "'a.b' x, y"],
  [
    route('catalog.entity', {
      actions: ['update', 'delete'],
      resourceTypes: ['catalog-entity'],
    }),
    "'catalog.entity' [update, delete] catalog-entity",
  ],
  [route('ros/a b/', { actions: ['read'] }), "'ros/a b/' [read]"],
  [routeOfName('ros/a b', { actions: ['read'] }), "name 'ros/a b' [read]"],
  [routeOfName('a\nb\u202e'), "name 'a\\u000ab\\u202e'"],
  [route('a', { resourceTypes: ['v', 'w', 'x', 'y', 'z'] }), "'a' v, w, x and 2 more"],
])('$name is named by what it fits', (pattern, label) => {
  expect(routeLabel(pattern)).toBe(label);
});

it('is short whatever the route', () => {
  const resourceTypes = Array.from({ length: 1000 }, () => 't'.repeat(1000));
  const long = { ...routeOf('p'.repeat(1000)), resourceTypes };
  expect(routeLabel(long).length).toBeLessThan(300);
  expect(routeLabel({ ...long, kind: 'name' }).length).toBeLessThan(310);
});
