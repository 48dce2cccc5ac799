/** A whole guard: its steps in their order, its two clocks, and who sees whose context. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { Deadline } from '../../src/lib/deadline';
import type { PermissionRequest } from '../../src/request';
import type { PolicySource } from '../../src/sources/hosted/policy-source';
import { HostedSource } from '../../src/sources/hosted/source';
import { allow, deny } from '../../src/verdict';
import { permission, request } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { pass, resumeClock, stopClock } from '../support/clock';
import { ManualSource, sourceOf } from '../support/fake-source';
import {
  atOnce,
  chainOf,
  closeGuards,
  deferred,
  guardOf,
  outcome,
  withBreaker,
} from '../support/guard';

const TIMEOUT = 200;

beforeEach(() => stopClock());
afterEach(async () => {
  await closeGuards();
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

describe('the queue', () => {
  it('turns away what finds no place: overloaded, denied even under fail-open', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const first = [ask(), ask(), ask()];
    expect(outcome(await ask())).toBe('DENY overloaded QUEUE_FULL');
    await turn();
    expect(source.questions).toHaveLength(2);
    source.questions[0]!.answer(allow('a'));
    source.questions[1]!.answer(allow('b'));
    await first[0];
    await turn();
    source.questions[2]!.answer(deny('c'));
    expect((await Promise.all(first)).map(outcome)).toEqual(['ALLOW', 'ALLOW', 'DENY']);
  });

  it('lets no one wait past half of the timeout, and never puts their question', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const asked = [ask(), ask(), ask()];
    await pass(TIMEOUT / 2 - 1);
    expect(await atOnce(asked[2]!)).toBe('not at once');
    await pass(1);
    expect(await atOnce(asked[2]!)).toBe('DENY overloaded NO_TIME_LEFT');
    await pass(TIMEOUT / 2);
    await Promise.all(asked);
    expect(source.questions).toHaveLength(2);
  });

  it('takes time from the caller, not from the source: late by queueing is overloaded', async () => {
    const source = new ManualSource();
    const { ask, states } = guardOf(source, withBreaker({ volumeThreshold: 2 }));
    const asked = [ask(), ask(), ask()];
    await pass(TIMEOUT / 4);
    source.questions[0]!.answer(allow('a'));
    source.questions[1]!.answer(allow('b'));
    await turn();
    await pass(TIMEOUT - TIMEOUT / 4);
    expect(outcome(await asked[2]!)).toBe('DENY overloaded CUT_SHORT');
    // The source still has its own time, and by its own clock it answers in it.
    source.questions[2]!.answer(deny('c'));
    await turn();
    expect(source.questions[2]!.signal.aborted).toBe(false);
    expect(states).toEqual([]);
  });

  it('has slots for what a source asks while it decides, or makes it wait for nothing', async () => {
    const nested = request(permission('nested'));
    /** What each of two questions hears of the one that it waits for. */
    const heard = async (concurrency: number): Promise<string[]> => {
      const answers: string[] = [];
      const source = sourceOf(async ({ permission: { name } }) => {
        if (name === 'nested') return allow('a');
        answers.push(outcome(await ask(undefined, 'fail-closed', nested)));
        return deny('b');
      });
      const { ask } = guardOf(source, { concurrency, queue: 100 });
      const asked = [ask(), ask()];
      await pass(TIMEOUT / 2);
      expect((await Promise.all(asked)).map(outcome)).toEqual(['DENY', 'DENY']);
      return answers;
    };
    expect(await heard(3)).toEqual(['ALLOW', 'ALLOW']);
    // The first one has waited until half of its time was over; its slot is then free.
    expect((await heard(2))[0]).toBe('DENY overloaded NO_TIME_LEFT');
  });

  it('keeps the async context of each caller', async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen: Array<[number | undefined, number]> = [];
    const source = sourceOf(async ({ permission: { name } }) => {
      seen.push([storage.getStore(), Number(name)]);
      await turn();
      seen.push([storage.getStore(), Number(name)]);
      return allow('');
    });
    const { guard } = guardOf(source, { concurrency: 2, queue: 100 });
    await Promise.all(
      Array.from({ length: 50 }, (_, user) =>
        storage.run(user, async () => {
          const own = request(permission(String(user)));
          await guard.ask(own, new Deadline(5000), verdict => verdict);
          expect(storage.getStore()).toBe(user);
        }),
      ),
    );
    expect(seen).toHaveLength(100);
    for (const [inContext, asked] of seen) expect(inContext).toBe(asked);
  });
});

describe('the deadline', () => {
  it('cuts the caller short, as overload', async () => {
    const { ask } = guardOf(new ManualSource());
    const asked = ask(150);
    await pass(149);
    expect(await atOnce(asked)).toBe('not at once');
    await pass(1);
    expect(outcome(await asked)).toBe('DENY overloaded CUT_SHORT');
    await pass(TIMEOUT);
  });

  it('lets a question be put if half of the timeout is left, and not with less', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    for (const deadline of [0, 90, TIMEOUT / 2 - 1]) {
      expect(await atOnce(ask(deadline))).toBe('DENY overloaded NO_TIME_LEFT');
    }
    await turn();
    expect(source.questions).toHaveLength(0);
    const asked = ask(TIMEOUT / 2);
    await turn();
    source.questions[0]!.answer(allow('in time'));
    expect(outcome(await asked)).toBe('ALLOW');
  });
});

describe('a refusal', () => {
  /** Closed, breaker open, every slot held by a call that hangs, too little time: all at once. */
  async function exhausted() {
    const source = new ManualSource();
    const { ask, close, timeOut, states } = guardOf(source, {
      queue: 0,
      ...withBreaker({ volumeThreshold: 2 }),
    });
    await timeOut(2);
    expect(states).toEqual(['open']);
    return { ask, close, source };
  }

  it('says that the guard is closed before anything else', async () => {
    const { ask, close } = await exhausted();
    await close();
    expect(await atOnce(ask(0))).toBe('DENY invalid CLOSED');
  });

  it('says that the breaker is open before that every call hangs', async () => {
    const { ask } = await exhausted();
    expect(await atOnce(ask(0))).toBe('ALLOW unavailable BREAKER_OPEN');
  });

  it('says that every call hangs before that too little time is left', async () => {
    const { ask } = await exhausted();
    await pass(50);
    expect(await atOnce(ask(0))).toBe('DENY overloaded HUNG');
  });

  it('says that too little time is left before that the queue is full', async () => {
    const { ask } = guardOf(new ManualSource(), { concurrency: 1, queue: 0 });
    const first = ask();
    await turn();
    expect(await atOnce(ask(0))).toBe('DENY overloaded NO_TIME_LEFT');
    expect(await atOnce(ask())).toBe('DENY overloaded QUEUE_FULL');
    await pass(TIMEOUT);
    await first;
  });
});

describe('a source that misbehaves', () => {
  const raise = (error: Error) => (): never => {
    throw error;
  };

  it.each([
    ['throws', sourceOf(raise(new Error('secret')))],
    ['rejects', sourceOf(() => Promise.reject(new TypeError('secret')))],
    [
      'throws before anything is put',
      { ...sourceOf(raise(new Error())), prepare: raise(new Error('secret')) },
    ],
  ])('that %s is invalid, and its message is not repeated', async (_name, source) => {
    const { ask, states } = guardOf(source, withBreaker({ volumeThreshold: 1 }));
    const answer = await ask();
    expect(outcome(answer)).toBe('DENY invalid THREW');
    expect(JSON.stringify(answer)).not.toContain('secret');
    expect(states).toEqual([]);
  });
});

describe('a hosted policy', () => {
  type Event =
    | { readonly kind: 'ask' }
    | { readonly kind: 'turn' }
    | { readonly kind: 'end'; readonly which: number; readonly how: string };

  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 3, arbitrary: fc.constant<Event>({ kind: 'ask' }) },
    { weight: 2, arbitrary: fc.constant<Event>({ kind: 'turn' }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        which: fc.nat({ max: 20 }),
        how: fc.constantFrom('ALLOW', 'DENY', 'nonsense', 'reject'),
      }),
    },
  );

  it('sees the async context of its own caller, whichever calls begin and end first', async () => {
    const EXPECTED: Readonly<Record<string, string>> = {
      ALLOW: 'ALLOW',
      DENY: 'DENY',
      nonsense: 'DENY invalid BAD_DECISION',
      reject: 'DENY invalid THREW',
    };
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(event, { minLength: 5, maxLength: 40 }),
        async (concurrency, events) => {
          const storage = new AsyncLocalStorage<string>();
          const underWay: Array<{ caller: string; end: (how: string) => void }> = [];
          const ended = new Map<string, string>();
          const seen: string[] = [];
          const policy = {
            async handle({ permission }: { permission: { name: string } }) {
              const caller = permission.name;
              seen.push(`${caller} in ${storage.getStore()}`);
              const { promise, resolve } = deferred<string>();
              underWay.push({ caller, end: resolve });
              const how = await promise;
              seen.push(`${caller} in ${storage.getStore()}`);
              await turn();
              seen.push(`${caller} in ${storage.getStore()}`);
              if (how === 'reject') throw new Error(how);
              return { result: how };
            },
          };
          const source = new HostedSource(
            'team',
            { policy: policy as unknown as PolicySource, mayAbstain: false },
            new CapturedLogs().logger(),
          );
          const { guard, close } = guardOf(source, {
            concurrency,
            queue: 1000,
            timeout: 60_000,
          });
          const chain = chainOf(guard, 'fail-open');
          const asked: Array<Promise<[caller: string, got: string]>> = [];
          const ask = (): void => {
            const caller = `caller-${asked.length}`;
            const own: PermissionRequest = request(permission(caller));
            asked.push(
              storage.run(caller, async (): Promise<[string, string]> => {
                const got = outcome(await chain.ask(own, new Deadline(60_000)));
                seen.push(`${caller} in ${storage.getStore()}`);
                return [caller, got];
              }),
            );
          };
          // The context in which a call is ended must reach no caller.
          const end = (which: number, how: string): void => {
            const [call] = underWay.splice(which % underWay.length, 1);
            ended.set(call!.caller, how);
            storage.run('of the end', () => call!.end(how));
          };
          for (const each of events) {
            if (each.kind === 'ask') ask();
            else if (each.kind === 'turn') await turn();
            else if (underWay.length > 0) end(each.which, each.how);
            expect(underWay.length).toBeLessThanOrEqual(concurrency);
          }
          for (let rest = 0; rest < 20 * events.length; rest++) {
            await turn();
            if (underWay.length > 0) end(rest, 'DENY');
            if (ended.size === asked.length) break;
          }
          for (const [caller, got] of await Promise.all(asked)) {
            expect(got).toBe(EXPECTED[ended.get(caller)!]);
          }
          expect(seen).toHaveLength(4 * asked.length);
          for (const each of seen) expect(each).toMatch(/^(caller-\d+) in \1$/);
          await close();
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a closed guard', () => {
  it('denies every question even under fail-open', async () => {
    const source = new ManualSource();
    const { ask, close } = guardOf(source);
    await close();
    expect(outcome(await ask())).toBe('DENY invalid CLOSED');
    expect(source.closed).toBe(true);
  });
});
