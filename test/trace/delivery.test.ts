/** Sinks get every record, after the decision, and none can keep it from another. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { Delivery } from '../../src/trace/delivery';
import { newRecord, type DecisionRecord, type TraceSink } from '../../src/trace/record';

const recordOf = (reason: string): DecisionRecord => ({ ...newRecord(), reason });

it('gives records later, in their order, to every sink', async () => {
  const got: string[] = [];
  const delivery = new Delivery([
    ({ reason }) => got.push(`first ${reason}`),
    ({ reason }) => got.push(`second ${reason}`),
  ]);
  delivery.add(recordOf('a'));
  delivery.add(recordOf('b'));
  expect(got).toEqual([]);
  await turn();
  expect(got).toEqual(['first a', 'second a', 'first b', 'second b']);
});

it.each<[string, TraceSink]>([
  [
    'throws',
    () => {
      throw new Error('broken');
    },
  ],
  ['rejects', () => Promise.reject(new Error('broken'))],
  ['never settles', () => new Promise(() => {})],
])('a sink that %s keeps nothing from the others', async (_what, broken) => {
  const got: string[] = [];
  const delivery = new Delivery([broken, ({ reason }) => got.push(reason)]);
  delivery.add(recordOf('a'));
  await turn();
  delivery.add(recordOf('b'));
  await turn();
  expect(got).toEqual(['a', 'b']);
});

describe('sinks that take long', () => {
  const order: string[] = [];
  let now = 0;

  beforeEach(() => {
    order.length = 0;
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] });
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const slow = (milliseconds: number): Delivery =>
    new Delivery([
      ({ reason }) => {
        now += milliseconds;
        order.push(reason);
      },
    ]);

  it('let the rest of the process run between records', async () => {
    const delivery = slow(30);
    for (const reason of ['a', 'b']) delivery.add(recordOf(reason));
    setImmediate(() => order.push('other work'));
    await turn();
    await turn();
    expect(order).toEqual(['a', 'other work', 'b']);
  });

  it('take half of the time at most, if they block', async () => {
    const delivery = slow(1000);
    for (const reason of ['a', 'b']) delivery.add(recordOf(reason));
    for (let turns = 0; turns < 5; turns++) await turn();
    jest.advanceTimersByTime(999);
    expect(order).toEqual(['a']);
    jest.advanceTimersByTime(1);
    expect(order).toEqual(['a', 'b']);
  });

  it('give all that waits when the router closes', () => {
    const delivery = slow(1000);
    for (const reason of ['a', 'b']) delivery.add(recordOf(reason));
    delivery.flush();
    expect(order).toEqual(['a', 'b']);
  });
});

it('keeps a bounded number of records for sinks that are slow, and counts the rest', async () => {
  let given = 0;
  const delivery = new Delivery([() => given++]);
  const record = recordOf('a');
  for (let count = 0; count < 10_005; count++) delivery.add(record);
  expect(delivery.lost).toBe(5);
  while (given < 10_000) await turn();
  await turn();
  expect(given).toBe(10_000);
});

it('gives each record in the async context of its decision', async () => {
  const storage = new AsyncLocalStorage<string>();
  const got: unknown[] = [];
  const delivery = new Delivery([
    ({ reason }) => got.push([reason, storage.getStore()]),
  ]);
  for (const reason of ['a', 'b'])
    storage.run(reason, () => delivery.add(recordOf(reason)));
  await turn();
  expect(got).toEqual([
    ['a', 'a'],
    ['b', 'b'],
  ]);
});
