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

it('lets the rest of the process run between records, if sinks take long', async () => {
  let now = 0;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
  const order: string[] = [];
  const delivery = new Delivery([
    ({ reason }) => {
      now += 1000;
      order.push(reason);
    },
  ]);
  for (const reason of ['a', 'b', 'c']) delivery.add(recordOf(reason));
  setImmediate(() => order.push('other work'));
  for (let turns = 0; turns < 5; turns++) await turn();
  clock.mockRestore();
  expect(order).toEqual(['a', 'other work', 'b', 'c']);
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
