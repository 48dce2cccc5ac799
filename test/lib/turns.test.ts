import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { Turns } from '../../src/lib/turns';
import { resumeClock, stopClock } from '../support/clock';

beforeEach(stopClock);
afterEach(resumeClock);

const done: string[] = [];
beforeEach(() => {
  done.length = 0;
});

/** Work that takes four milliseconds, so that three pieces fit into one turn. */
const work = (name: string) => (): string => {
  jest.advanceTimersByTime(4);
  done.push(name);
  return name;
};

it('does work at once while the turn has time for it', () => {
  const turns = new Turns();
  expect(['a', 'b', 'c'].map(name => turns.run(turns, work(name)))).toEqual([
    'a',
    'b',
    'c',
  ]);
});

it('lets the rest of the process run before it does more', async () => {
  const turns = new Turns();
  const all = Promise.all([
    ...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(name => turns.run(turns, work(name))),
  ]);
  expect(done).toEqual(['a', 'b', 'c']);
  await turn();
  expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  await turn();
  expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  expect(await all).toEqual(done);
});

it('does one piece of each group after the other', async () => {
  const turns = new Turns();
  const [large, small] = [{}, {}];
  const all = Promise.all([
    ...['l1', 'l2', 'l3', 'l4', 'l5'].map(name => turns.run(large, work(name))),
    ...['s1'].map(name => turns.run(small, work(name))),
  ]);
  await turn();
  expect(done).toEqual(['l1', 'l2', 'l3', 'l4', 's1', 'l5']);
  await all;
});

it('has time again in the next turn of the event loop', async () => {
  const turns = new Turns();
  const all = ['a', 'b', 'c'].map(name => turns.run(turns, work(name)));
  await turn();
  expect([...all, turns.run(turns, work('d'))]).toEqual(['a', 'b', 'c', 'd']);
});

it('puts what comes later behind what waits', async () => {
  const turns = new Turns();
  const all = ['a', 'b', 'c', 'd'].map(name => turns.run(turns, work(name)));
  const last = Promise.resolve().then(() => turns.run(turns, work('e')));
  await Promise.all([...all, last]);
  expect(done).toEqual(['a', 'b', 'c', 'd', 'e']);
});

it('does only so much at once, because of what the work leaves to promises', async () => {
  const turns = new Turns();
  const all = Array.from({ length: 20 }, () => turns.run(turns, waited => waited));
  const waited = await Promise.all([...all]);
  expect(waited.filter(hasWaited => !hasWaited)).toHaveLength(16);
});

it('counts what the work leaves to promises', async () => {
  const turns = new Turns();
  for (const name of ['a', 'b', 'c']) void turns.run(turns, work(name));
  const all = Promise.all([
    ...['d', 'e', 'f', 'g', 'h', 'i'].map(name =>
      turns.run(turns, () => Promise.resolve().then(work(name))),
    ),
  ]);
  await turn();
  expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  await all;
  expect(done).toHaveLength(9);
});

it('does the work that work itself has as a part of it', async () => {
  const turns = new Turns();
  const all = ['a', 'b', 'c', 'd'].map(name =>
    turns.run(turns, () => turns.run({}, work(name))),
  );
  expect(await Promise.all([...all])).toEqual(['a', 'b', 'c', 'd']);
  expect(done).toEqual(['a', 'b', 'c', 'd']);
});

it('tells work whether it has waited', async () => {
  const turns = new Turns();
  const all = ['a', 'b', 'c', 'd'].map(name =>
    turns.run(turns, hasWaited => {
      work(name)();
      return hasWaited;
    }),
  );
  expect(await Promise.all([...all])).toEqual([false, false, false, true]);
});

it('does work that has waited in the async context of its own caller', async () => {
  const context = new AsyncLocalStorage<string>();
  const turns = new Turns();
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const seen = names.map(name =>
    context.run(name, () =>
      turns.run({}, async () => {
        work(name)();
        await turn();
        return context.getStore();
      }),
    ),
  );
  expect(await Promise.all([...seen])).toEqual(names);
});

describe('what work throws', () => {
  const fail = (): never => {
    throw new Error('broken');
  };

  it('is thrown if the work is done at once', () => {
    expect(() => new Turns().run({}, fail)).toThrow('broken');
  });

  it('is a rejection if the work has waited, and harms no other work', async () => {
    const turns = new Turns();
    for (const name of ['a', 'b', 'c']) void turns.run(turns, work(name));
    const failing = turns.run(turns, fail);
    const rejecting = turns.run(turns, () => Promise.reject(new Error('late')));
    const good = turns.run(turns, work('d'));
    await expect(failing).rejects.toThrow('broken');
    await expect(rejecting).rejects.toThrow('late');
    expect(await good).toBe('d');
  });
});

it('is not delayed by what is done beside it', async () => {
  const turns = new Turns();
  const { beside } = turns;
  const others = ['o1', 'o2', 'o3', 'o4'].map(async name => beside.run({}, work(name)));
  expect(turns.beside).toBe(beside);
  expect(done).toEqual(['o1', 'o2', 'o3']);
  expect(turns.run({}, work('a'))).toBe('a');
  await Promise.all(others);
  expect(done).toEqual(['o1', 'o2', 'o3', 'a', 'o4']);
});
