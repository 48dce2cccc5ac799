import { growthOf, NOISE, ratiosOf, slope, type Point } from './fit';

const SIZES = [10, 100, 1000, 10_000, 100_000];

const growing = (time: (size: number) => number): Point[] =>
  SIZES.map(size => ({ size, time: time(size) }));

it('the slope is the power that the size is raised to', () => {
  expect(slope(growing(size => size ** 2))).toBeCloseTo(2);
  expect(slope(growing(size => 7 * Math.sqrt(size)))).toBeCloseTo(0.5);
  expect(slope(growing(() => 3))).toBeCloseTo(0);
});

it('the slope is the one that misses the points least', () => {
  const points = [
    { size: 1, time: 1 },
    { size: Math.E, time: Math.E ** 3 },
    { size: Math.E ** 2, time: Math.E ** 2 },
  ];
  expect(slope(points)).toBeCloseTo(1);
});

it.each<[string, (size: number) => number, number, boolean]>([
  ['n', size => 100 * size, 1, false],
  ['n log n', size => 100 * size * Math.log2(size), 1.11, false],
  ['n to the power of 1.5', size => 100 * size ** 1.5, 1.5, true],
  ['n squared', size => 100 * size ** 2, 2, true],
])('%s', (_name, time, exponent, isWorse) => {
  const growth = growthOf(growing(time));
  expect(growth.exponent).toBeCloseTo(exponent, 1);
  expect(growth.isWorse).toBe(isWorse);
});

it('constant costs do not hide the growth of large sizes', () => {
  expect(growthOf(growing(size => 1_000_000 + size ** 2)).isWorse).toBe(true);
});

it('a single step is no growth', () => {
  const step = growing(size => (size < 10_000 ? 100 : 1000) * size);
  expect(growthOf(step)).toMatchObject({ isWorse: false });
  expect(growthOf(step).exponent).toBeGreaterThan(1.3);
});

it('the growth of short times is not told', () => {
  const short = growing(size => (NOISE * size ** 2) / 10_000 ** 2);
  expect(growthOf(short.slice(0, -1))).toEqual({ exponent: undefined, isWorse: false });
  expect(growthOf(short).isWorse).toBe(true);
});

it('two sizes suffice, one does not', () => {
  const points = growing(size => 100 * size ** 2);
  expect(growthOf(points.slice(0, 2)).isWorse).toBe(true);
  expect(growthOf(points.slice(0, 1)).exponent).toBeUndefined();
  expect(growthOf([]).exponent).toBeUndefined();
});

it('a ratio is the time divided by that of the size before', () => {
  expect(ratiosOf(growing(size => size ** 2)).slice(0, 2)).toEqual([undefined, 100]);
  expect(ratiosOf([])).toEqual([]);
});
