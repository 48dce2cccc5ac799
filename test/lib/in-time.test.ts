/** A time limit that a busy process does not shorten, on a clock that the test turns. */
import { inTime } from '../../src/lib/in-time';
import { pass, resumeClock, stopClock } from '../support/clock';

beforeEach(() => stopClock());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

const late = (): Error => new Error('late');
const never = new Promise<never>(() => {});

it('is the result of a task that ends in time, and leaves no timer', async () => {
  await expect(inTime(Promise.resolve('done'), 1000, late)).resolves.toBe('done');
});

it('is the error of a task that fails in time', async () => {
  const failed = Promise.reject(new Error('failed'));
  await expect(inTime(failed, 1000, late)).rejects.toThrow('failed');
});

it('is the error given for it when the time is over, not before', async () => {
  const outcome = jest.fn();
  void inTime(never, 1000, late).catch(outcome);
  await pass(999);
  expect(outcome).not.toHaveBeenCalled();
  await pass(1);
  expect(outcome.mock.calls).toEqual([[new Error('late')]]);
});

it('does not count the time in which something holds the event loop', async () => {
  resumeClock();
  let end: (result: string) => void = () => {};
  const task = inTime(new Promise<string>(resolve => (end = resolve)), 100, late);
  // Holds the loop for far longer; what has ended meanwhile is then seen first.
  setImmediate(() => {
    const until = performance.now() + 500;
    while (performance.now() < until);
    setImmediate(() => end('done'));
  });
  await expect(task).resolves.toBe('done');
});
