import { BatchSize } from '../../src/guard/batch-size';
import { pass, resumeClock, stopClock } from '../support/clock';

beforeEach(stopClock);
afterEach(resumeClock);

type Event = ['answered', number, number] | ['failed', number];

it.each<[string, Event[], number]>([
  ['is 100 at first', [], 100],
  ['stays, if all goes well', [['answered', 100, 0]], 100],
  ['is half of a request that failed', [['failed', 100]], 50],
  ['is half of it, rounded down', [['failed', 7]], 3],
  ['is half of a small one, too', [['failed', 10]], 5],
  ['is two at least', [['failed', 2]], 2],
  ['is one after two failed', [...Array<Event>(9).fill(['failed', 2])], 1],
  [
    'is not raised by a failure',
    [
      ['failed', 10],
      ['failed', 100],
    ],
    5,
  ],
  [
    'doubles with time to spare',
    [
      ['failed', 100],
      ['answered', 50, 0.5],
    ],
    100,
  ],
  [
    'stays, if there was little',
    [
      ['failed', 100],
      ['answered', 50, 0.51],
    ],
    50,
  ],
  [
    'learns nothing of a small one',
    [
      ['failed', 100],
      ['answered', 49, 0],
    ],
    50,
  ],
  [
    'ends at 100',
    [
      ['failed', 100],
      ['answered', 50, 0],
      ['answered', 100, 0],
    ],
    100,
  ],
  // A request from before the failure: the next one shows whether that is too much.
  [
    'grows with a larger one',
    [
      ['failed', 20],
      ['answered', 40, 0],
    ],
    80,
  ],
  [
    'grows from two',
    [
      ['failed', 2],
      ['answered', 2, 0],
      ['answered', 4, 0],
    ],
    8,
  ],
])('the size of a request %s', (_name, events, expected) => {
  const size = new BatchSize();
  for (const event of events) {
    if (event[0] === 'answered') size.answered(event[1], event[2]);
    else size.failed(event[1]);
  }
  expect(size.most).toBe(expected);
});

it('is one for ten seconds after an answer that cannot be used, then as before', async () => {
  const size = new BatchSize();
  size.failed(40);
  size.unusable();
  expect(size.most).toBe(1);
  await pass(9_999);
  expect(size.most).toBe(1);
  await pass(1);
  expect(size.most).toBe(20);
  size.unusable();
  await pass(5_000);
  size.unusable();
  await pass(9_999);
  expect(size.most).toBe(1);
});
