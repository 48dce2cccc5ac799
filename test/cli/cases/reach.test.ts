import { percentOf, reachOf } from '../../../src/cli/cases/reach';

it('names the routes that no case reaches, and the fallback', () => {
  const reach = reachOf(["'catalog'", "'scaffolder'"], new Set([1]));
  expect(reach).toEqual({ reached: 1, of: 3, missed: ["'catalog'", 'fallback'] });
  expect(percentOf(reach)).toBeCloseTo(33.3, 1);
});

it('does not ask for the fallback where a route matches everything', () => {
  expect(reachOf(["'catalog'", "'*'"], new Set([0, 1]))).toEqual({
    reached: 2,
    of: 2,
    missed: [],
  });
});

it('asks for the fallback where such a route has constraints', () => {
  const { missed } = reachOf(["'*' [read]"], new Set([0]));
  expect(missed).toEqual(['fallback']);
});
