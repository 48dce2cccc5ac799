import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { Queue } from '../../src/guard/queue';

/** A limiter whose calls end when the test says so. */
function limiterOf(concurrency: number, queue: number) {
  const limiter = new Queue({ concurrency, queue });
  const started: string[] = [];
  const end = new Map<string, () => void>();
  const run = (name: string): void =>
    limiter.run(() => {
      started.push(name);
      return new Promise(resolve => end.set(name, resolve));
    });
  const finish = async (name: string): Promise<void> => {
    end.get(name)!();
    await turn();
  };
  return { limiter, started, run, finish };
}

it('has a slot for each of `concurrency`, then places for `queue`, then nothing', async () => {
  const { limiter, started, run, finish } = limiterOf(2, 2);
  const states: Array<[boolean, boolean]> = [];
  for (const name of ['a', 'b', 'c', 'd']) {
    states.push([limiter.busy, limiter.full]);
    run(name);
  }
  states.push([limiter.busy, limiter.full]);
  // Known at once, in the same tick: a batch asks all its questions in one.
  expect(states).toEqual([
    [false, false],
    [false, false],
    [true, false],
    [true, false],
    [true, true],
  ]);
  await turn();
  expect(started).toEqual(['a', 'b']);

  await finish('b');
  expect(started).toEqual(['a', 'b', 'c']);
  expect([limiter.busy, limiter.full]).toEqual([true, false]);
  await finish('a');
  await finish('c');
  expect(started).toEqual(['a', 'b', 'c', 'd']);
  expect(limiter.busy).toBe(false);
});

it('with no places is full as soon as it is busy', async () => {
  const { limiter, run, finish } = limiterOf(1, 0);
  expect(limiter.full).toBe(false);
  run('a');
  expect(limiter.full).toBe(true);
  await turn();
  await finish('a');
  expect(limiter.full).toBe(false);
});

it('never runs more than `concurrency` at once, whatever comes and goes', async () => {
  const limiter = new Queue({ concurrency: 3, queue: 1000 });
  let running = 0;
  let most = 0;
  let done = 0;
  await new Promise<void>(finished => {
    for (let call = 0; call < 500; call++) {
      limiter.run(async () => {
        most = Math.max(most, ++running);
        for (let rest = call % 4; rest > 0; rest--) await turn();
        running--;
        if (++done === 500) finished();
      });
    }
  });
  expect(most).toBe(3);
});

it('runs each call in the async context of its own caller', async () => {
  const storage = new AsyncLocalStorage<number>();
  const limiter = new Queue({ concurrency: 2, queue: 100 });
  const seen: Array<[number, number | undefined]> = [];
  await new Promise<void>(finished => {
    for (let caller = 0; caller < 50; caller++) {
      storage.run(caller, () =>
        limiter.run(async () => {
          await turn();
          seen.push([caller, storage.getStore()]);
          if (seen.length === 50) finished();
        }),
      );
    }
  });
  for (const [caller, store] of seen) expect(store).toBe(caller);
});
