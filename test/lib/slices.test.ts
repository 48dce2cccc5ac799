import { Slices } from '../../src/lib/slices';
import { countTurns } from '../support/turns';

/** Lets each look at the clock find it this many milliseconds later. */
function tickBy(milliseconds: number): void {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => (now += milliseconds));
}
afterEach(() => jest.restoreAllMocks());

it('does the work for each item in order, with its index', async () => {
  const done: string[] = [];
  await new Slices().each(['a', 'b', 'c'], (item, index) => {
    done.push(`${item}${index}`);
  });
  expect(done).toEqual(['a0', 'b1', 'c2']);
});

it('waits for the work of one item before the next', async () => {
  const done: string[] = [];
  await new Slices().each([1, 2], async item => {
    done.push(`begin ${item}`);
    await new Promise(setImmediate);
    done.push(`end ${item}`);
  });
  expect(done).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2']);
});

it('lets others run after every 10 ms of work', async () => {
  tickBy(2);
  const turns = countTurns();
  // One look at the clock for each item, and one when a slice begins.
  await new Slices().each(Array(100), () => {});
  expect(turns.stop()).toBe(20);
});

it('counts the short parts of one work together', async () => {
  tickBy(2);
  const turns = countTurns();
  const slices = new Slices();
  for (let part = 0; part < 100; part++) await slices.each(['item'], () => {});
  expect(turns.stop()).toBe(20);
});

it('lets others run only if that is due', async () => {
  tickBy(0);
  const turns = countTurns();
  await new Slices().each(Array(100_000), () => {});
  expect(turns.stop()).toBe(0);
});

it('ends with the error of the work', async () => {
  const failing = new Slices().each(['a', 'b'], item => {
    throw new Error(item);
  });
  await expect(failing).rejects.toThrow('a');
});
