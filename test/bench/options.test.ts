import { readOptions, USAGE } from './options';

const read = (...args: string[]) =>
  readOptions(args, ['authorize', 'memory'], ['a', 'b']);

it('measures everything, and writes nothing, unless told otherwise', () => {
  expect(read()).toEqual({
    quick: false,
    write: false,
    only: undefined,
    contestants: undefined,
    against: undefined,
  });
});

it('takes sections, contestants and another checkout', () => {
  expect(
    read(
      '--only',
      'memory',
      '--only',
      'authorize',
      '--contestants',
      'a,b',
      '--against',
      '../b',
    ),
  ).toMatchObject({
    only: ['memory', 'authorize'],
    contestants: ['a', 'b'],
    against: '../b',
  });
});

it.each([
  [['--only', 'memories'], 'no section is named memories; they are authorize, memory'],
  [['--write', '--only', 'memory'], '--write needs a run of all sections'],
  [['--write', '--contestants', 'a'], '--write needs a run of all sections'],
  [['--contestants', 'a,c'], 'no contestant is named c; they are a, b'],
  [['--visibility'], "Unknown option '--visibility'"],
])('refuses %p', (args, why) => {
  expect(() => read(...args)).toThrow(USAGE);
  expect(() => read(...args)).toThrow(why);
});
