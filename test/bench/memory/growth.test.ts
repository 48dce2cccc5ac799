import { growthOf } from './growth';

const samples = (...bytes: number[]) =>
  bytes.map((each, index) => ({ decisions: (index + 1) * 100, bytes: each }));

it.each([
  ['the same', samples(50, 50, 50), 0],
  ['up and down', samples(50, 70, 70, 50), 0],
  ['ever more', samples(50, 60, 70, 80), 30],
  ['less', samples(80, 70, 60), -20],
  ['one sample', samples(80), 0],
])('%s', (_what, given, growth) => {
  expect(growthOf(given)).toBeCloseTo(growth, 9);
});
