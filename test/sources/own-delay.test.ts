/** Which failures are an outage of the source, and which may be a delay of this process. */
import { failed, type Failed } from '../../src/answer';
import { eventLoop } from '../../src/lib/event-loop';
import { threadWait } from '../../src/lib/lookup';
import { OwnDelay } from '../../src/sources/own-delay';
import { pass, resumeClock, stopClock } from '../support/clock';

jest.mock('../../src/lib/lookup', () => ({ threadWait: jest.fn() }));

const TIMEOUT = 400;
const QUARTER = TIMEOUT / 4;
const outage = failed('unavailable', 'ECONNRESET', 'reset');

let blocked: number;
let waited: number;

beforeEach(() => {
  stopClock();
  // Measured since some earlier time, as it always is.
  blocked = waited = 5000;
  Object.defineProperty(eventLoop, 'blocked', {
    configurable: true,
    get: () => blocked,
  });
  jest.mocked(threadWait).mockImplementation(() => waited);
});
afterEach(resumeClock);

const busy = (utilization: number): void => {
  performance.eventLoopUtilization = () => ({ idle: 0, active: 0, utilization });
};

const judged = (delay: OwnDelay, failure: Failed = outage): string => {
  const { class: failureClass, code } = delay.judge(failure).failure;
  return `${failureClass} ${code}`;
};

it('an outage is passed on as it is', async () => {
  const delay = new OwnDelay(TIMEOUT);
  await pass(TIMEOUT);
  expect(delay.judge(outage)).toBe(outage);
});

it.each<[milliseconds: number, expected: string]>([
  [QUARTER - 1, 'unavailable ECONNRESET'],
  [QUARTER, 'overloaded STALLED'],
])('an outage after the process was blocked for %d ms is %s', (time, expected) => {
  const delay = new OwnDelay(TIMEOUT);
  blocked += time;
  expect(judged(delay)).toBe(expected);
});

it.each<[milliseconds: number, expected: string]>([
  [QUARTER - 1, 'unavailable ECONNRESET'],
  [QUARTER, 'overloaded THREADS_BUSY'],
])('an outage after a lookup had no thread for %d ms is %s', (time, expected) => {
  const delay = new OwnDelay(TIMEOUT);
  waited += time;
  expect(judged(delay)).toBe(expected);
});

it.each<[elapsed: number, utilization: number, expected: string]>([
  [1, 1, 'unavailable ECONNRESET'],
  [QUARTER - 1, 1, 'unavailable ECONNRESET'],
  [QUARTER, 0.9, 'unavailable ECONNRESET'],
  [QUARTER, 0.91, 'overloaded STALLED'],
])('an outage after %d ms that were %d busy is %s', async (time, share, expected) => {
  const delay = new OwnDelay(TIMEOUT);
  busy(share);
  await pass(time);
  expect(judged(delay)).toBe(expected);
});

it.each(['invalid', 'overloaded'] as const)(
  'what is %s stays so, whatever this process did',
  async failureClass => {
    const delay = new OwnDelay(TIMEOUT);
    blocked += TIMEOUT;
    waited += TIMEOUT;
    busy(1);
    await pass(TIMEOUT);
    const failure = failed(failureClass, 'HTTP_429', '');
    expect(delay.judge(failure)).toBe(failure);
  },
);

it('what lies before it was created is not counted', () => {
  blocked += TIMEOUT;
  waited += TIMEOUT;
  expect(judged(new OwnDelay(TIMEOUT))).toBe('unavailable ECONNRESET');
});
