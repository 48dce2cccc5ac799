import { attempt } from '../../src/lib/attempt';

it('returns what the work returns', () => {
  expect(attempt(() => 1)).toBe(1);
});

it('returns undefined if the work throws', () => {
  const work = (): never => {
    throw new Error('foreign');
  };
  expect(attempt(work)).toBeUndefined();
});
