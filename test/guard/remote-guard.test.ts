import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { failed, type Answer } from '../../src/answer';
import type { BreakerState } from '../../src/guard/breaker';
import { Deadline } from '../../src/lib/deadline';
import { Chain, type ChainAnswer } from '../../src/guard/chain';
import { RemoteGuard, type RemoteGuardOptions } from '../../src/guard/remote-guard';
import type { PermissionRequest } from '../../src/request';
import type { PolicySource } from '../../src/sources/hosted/policy-source';
import { HostedSource } from '../../src/sources/hosted/source';
import { OpaSource } from '../../src/sources/opa/source';
import { type RemoteSource } from '../../src/sources/source';
import { allow, deny, type OnUnavailable } from '../../src/verdict';
import { CapturedLogs } from '../support/captured-logs';
import { ManualSource, sourceOf } from '../support/fake-source';
import { assumeIdleLoop, measureLoop } from '../support/idle-loop';
import { silence, startStub } from '../support/stub-server';

const request: PermissionRequest = {
  permission: { type: 'basic', name: 'tested', attributes: {} },
  principal: { ownershipEntityRefs: [] },
};

const defaults: RemoteGuardOptions = {
  timeout: 200,
  concurrency: 2,
  queue: 1,
  circuitBreaker: {
    errorThreshold: 50,
    volumeThreshold: 1000,
    rollingWindow: 10_000,
    resetTimeout: 50,
  },
};

const unavailable = failed('unavailable', 'ECONNREFUSED', 'gone');

const chainOf = (guard: RemoteGuard, onUnavailable: OnUnavailable): Chain =>
  new Chain([{ source: 'tested', standby: false, guard }], {
    onUnavailable,
    checkConditions: verdict => verdict,
  });

/** A guard and what its breaker went through. */
function guardOf(source: RemoteSource, options: Partial<RemoteGuardOptions> = {}) {
  const states: BreakerState[] = [];
  const waiting = new Map<BreakerState, () => void>();
  const guard = new RemoteGuard(
    source,
    { ...defaults, ...options },
    {
      breakerChanged: state => {
        states.push(state);
        waiting.get(state)?.();
      },
      allCallsHang: () => {},
    },
  );
  const ask = async (
    deadline = 10_000,
    mode: OnUnavailable = 'fail-open',
  ): Promise<ChainAnswer> => chainOf(guard, mode).ask(request, new Deadline(deadline));
  const reaches = (state: BreakerState): Promise<void> =>
    states.includes(state)
      ? Promise.resolve()
      : new Promise(resolve => waiting.set(state, resolve));
  return { guard, ask, states, reaches };
}

const outcome = ({ verdict }: ChainAnswer): string =>
  'failure' in verdict && verdict.failure
    ? `${verdict.kind} ${verdict.failure.class} ${verdict.failure.code}`
    : verdict.kind;

const breaker = (more: Partial<RemoteGuardOptions['circuitBreaker']>) => ({
  circuitBreaker: { ...defaults.circuitBreaker, ...more },
});

assumeIdleLoop();

describe('the timeout', () => {
  it('ends a question that is not answered, and aborts it', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    expect(outcome(await ask(10_000, 'fail-closed'))).toBe('DENY unavailable TIMEOUT');
    expect(source.questions[0]!.signal.aborted).toBe(true);
  });

  it('is an outage, which fail-open opens', async () => {
    const { ask } = guardOf(new ManualSource());
    expect(outcome(await ask())).toBe('ALLOW unavailable TIMEOUT');
  });

  it('is an overload of ours when this process was too busy to receive the answer', async () => {
    measureLoop();
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const asked = ask();
    await delay(0);
    const end = performance.now() + 2 * defaults.timeout;
    while (performance.now() < end);
    expect(outcome(await asked)).toBe('DENY overloaded STALLED');
  });

  it('takes an answer that lies in the socket when a stall ends', async () => {
    // In a thread of its own, so that it answers while this one is stalled.
    const server = new Worker(
      `const { parentPort } = require('node:worker_threads');
       require('node:http')
         .createServer((request, response) => {
           request.resume().on('end', () => {
             parentPort.postMessage('asked');
             setTimeout(() => response.end('{"result":{"result":"DENY"}}'), 50);
           });
         })
         .listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });`,
      { eval: true },
    );
    const [port] = (await once(server, 'message')) as [number];
    const source = new OpaSource({
      baseUrl: `http://127.0.0.1:${port}`,
      entrypoint: 'a/b',
      concurrency: 1,
      connectTimeout: 1000,
      maxResponseBytes: 1000,
    });
    const { ask } = guardOf(source);
    try {
      const asked = ask();
      await once(server, 'message');
      const end = performance.now() + 2 * defaults.timeout;
      while (performance.now() < end);
      expect(outcome(await asked)).toBe('DENY');
    } finally {
      await source.close();
      await server.terminate();
    }
  });
});

describe('the queue', () => {
  it('turns away what finds no place: overloaded, denied even under fail-open', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const first = [ask(), ask(), ask()];
    expect(outcome(await ask())).toBe('DENY overloaded QUEUE_FULL');
    await delay(0);
    expect(source.questions).toHaveLength(2);
    source.questions[0]!.answer(allow('a'));
    source.questions[1]!.answer(allow('b'));
    await first[0];
    await delay(0);
    source.questions[2]!.answer(deny('c'));
    expect((await Promise.all(first)).map(outcome)).toEqual(['ALLOW', 'ALLOW', 'DENY']);
  });

  it('lets no one wait past half of the timeout, and never puts their question', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const asked = [ask(), ask(), ask()];
    expect(outcome(await asked[2]!)).toBe('DENY overloaded NO_TIME_LEFT');
    await Promise.all(asked);
    expect(source.questions).toHaveLength(2);
  });

  it('takes time from the caller, not from the source: late by queueing is overloaded', async () => {
    const source = new ManualSource();
    const { ask, states } = guardOf(source, breaker({ volumeThreshold: 2 }));
    const asked = [ask(), ask(), ask()];
    await delay(defaults.timeout / 4);
    source.questions[0]!.answer(allow('a'));
    source.questions[1]!.answer(allow('b'));
    expect(outcome(await asked[2]!)).toBe('DENY overloaded CUT_SHORT');
    // The source still has its own time, and by its own clock it answers in it.
    source.questions[2]!.answer(deny('c'));
    await delay(0);
    expect(source.questions[2]!.signal.aborted).toBe(false);
    expect(states).toEqual([]);
  });

  it('keeps the async context of each caller', async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen: Array<[number | undefined, number]> = [];
    const source = sourceOf(async ({ permission }) => {
      seen.push([storage.getStore(), Number(permission.name)]);
      await delay(1);
      seen.push([storage.getStore(), Number(permission.name)]);
      return allow('');
    });
    const { guard } = guardOf(source, { concurrency: 2, queue: 100, timeout: 5000 });
    await Promise.all(
      Array.from({ length: 50 }, (_, user) =>
        storage.run(user, async () => {
          const own: PermissionRequest = {
            ...request,
            permission: { ...request.permission, name: String(user) },
          };
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
    expect(outcome(await ask(150))).toBe('DENY overloaded CUT_SHORT');
  });

  it('puts no question for which less than half of the timeout is left', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    expect(outcome(await ask(90))).toBe('DENY overloaded NO_TIME_LEFT');
    expect(source.questions).toHaveLength(0);
  });
});

describe('the circuit breaker', () => {
  const failing = (answers: { failing: boolean; asked: number }): RemoteSource =>
    sourceOf(async () => {
      answers.asked++;
      return answers.failing ? unavailable : allow('back');
    });

  it('opens on outages, then asks nothing, and closes by one probe', async () => {
    const answers = { failing: true, asked: 0 };
    const { ask, states, reaches } = guardOf(
      failing(answers),
      breaker({ volumeThreshold: 3 }),
    );
    for (let round = 0; round < 3; round++) {
      expect(outcome(await ask())).toBe('ALLOW unavailable ECONNREFUSED');
    }
    expect(states).toEqual(['open']);
    expect(outcome(await ask(10_000, 'fail-closed'))).toBe(
      'DENY unavailable BREAKER_OPEN',
    );
    expect(answers.asked).toBe(3);
    answers.failing = false;
    await reaches('half-open');
    expect(outcome(await ask())).toBe('ALLOW');
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  it('opens again when the probe fails', async () => {
    const answers = { failing: true, asked: 0 };
    const { ask, states, reaches } = guardOf(
      failing(answers),
      breaker({ volumeThreshold: 1 }),
    );
    await ask();
    await reaches('half-open');
    await ask();
    expect(states).toEqual(['open', 'half-open', 'open']);
  });

  it('lets one probe through while half open and refuses the others', async () => {
    const source = new ManualSource();
    const { ask, reaches } = guardOf(source, breaker({ volumeThreshold: 1 }));
    const first = ask();
    await delay(0);
    source.questions[0]!.answer(unavailable);
    await first;
    await reaches('half-open');
    const probe = ask();
    await delay(0);
    expect(outcome(await ask())).toBe('ALLOW unavailable BREAKER_OPEN');
    expect(source.questions).toHaveLength(2);
    source.questions[1]!.answer(allow('back'));
    expect(outcome(await probe)).toBe('ALLOW');
  });

  it('is not opened by invalid answers, nor closed by an overload as its probe', async () => {
    const source = new ManualSource();
    const { ask, states, reaches } = guardOf(source, breaker({ volumeThreshold: 1 }));
    const answerNext = async (
      answer: Parameters<(typeof source.questions)[0]['answer']>[0],
    ) => {
      const asked = ask();
      await delay(0);
      source.questions.at(-1)!.answer(answer);
      return outcome(await asked);
    };
    for (let round = 0; round < 5; round++) {
      expect(await answerNext(failed('invalid', 'HTTP_500', ''))).toBe(
        'DENY invalid HTTP_500',
      );
    }
    expect(states).toEqual([]);
    for (let round = 0; round < 6; round++) await answerNext(unavailable);
    await reaches('half-open');
    expect(await answerNext(failed('overloaded', 'HTTP_429', ''))).toBe(
      'DENY overloaded HTTP_429',
    );
    expect(states).toEqual(['open', 'half-open', 'open']);
  });
});

describe('a half-open breaker', () => {
  it('is not closed by an overload that was put before it opened', async () => {
    const source = new ManualSource();
    const { ask, states, reaches } = guardOf(source, {
      timeout: 5000,
      concurrency: 3,
      ...breaker({ volumeThreshold: 1 }),
    });
    const [old, ...failing] = [ask(), ask(), ask()];
    await delay(0);
    for (const question of source.questions.slice(1)) question.answer(unavailable);
    await Promise.all(failing);
    await reaches('half-open');
    source.questions[0]!.answer(failed('overloaded', 'HTTP_429', ''));
    expect(outcome(await old)).toBe('DENY overloaded HTTP_429');
    expect(states).toEqual(['open', 'half-open', 'open']);
  });
});

describe('a source that misbehaves', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('secret'))],
  ])(
    'that %s is invalid, and its message is not repeated',
    async (_name, misbehave) => {
      const { ask } = guardOf(sourceOf(misbehave));
      const answer = await ask();
      expect(outcome(answer)).toBe('DENY invalid THREW');
      expect(JSON.stringify(answer)).not.toContain('secret');
    },
  );

  it('that never lets go keeps its slot, and its late answer is ignored', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source, { concurrency: 1, queue: 0 });
    expect(outcome(await ask())).toBe('ALLOW unavailable TIMEOUT');
    expect(outcome(await ask())).toBe('DENY overloaded HUNG');
    source.questions[0]!.answer(allow('late'));
    await delay(0);
    const next = ask();
    await delay(0);
    source.questions[1]!.answer(deny('next'));
    expect(outcome(await next)).toBe('DENY');
  });
});

describe('calls that go on after the timeout', () => {
  /** Outcomes of so many questions, put at once and given up together. */
  const hang = async (
    ask: () => Promise<ChainAnswer>,
    count: number,
  ): Promise<string[]> =>
    (await Promise.all(Array.from({ length: count }, () => ask()))).map(outcome);

  /** The outcome, if it is there without any waiting. */
  const atOnce = (asked: Promise<ChainAnswer>): Promise<string> =>
    Promise.race([asked.then(outcome), turn('not at once')]);

  it('are HUNG where they hold all slots: at once, and nothing is put or queued', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source, { queue: 10 });
    expect(await hang(ask, 2)).toEqual(Array(2).fill('ALLOW unavailable TIMEOUT'));
    for (let round = 0; round < 20; round++) {
      expect(await atOnce(ask())).toBe('DENY overloaded HUNG');
    }
    expect(source.questions).toHaveLength(2);
    for (const question of source.questions) question.answer(allow('late'));
    await turn();
    expect(source.questions).toHaveLength(2);
  });

  it('leave the other slots to be used', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    await hang(ask, 1);
    const next = ask();
    await turn();
    source.questions[1]!.answer(deny('next'));
    expect(outcome(await next)).toBe('DENY');
  });

  it('are over as soon as one of them settles, and its slot is used again', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    await hang(ask, 2);
    source.questions[1]!.answer(deny('late'));
    await turn();
    const [next, waiting] = [ask(), ask()];
    await turn();
    expect(source.questions).toHaveLength(3);
    source.questions[2]!.answer(allow('next'));
    expect(outcome(await next)).toBe('ALLOW');
    await turn();
    source.questions[3]!.answer(deny('waiting'));
    expect(outcome(await waiting)).toBe('DENY');
  });

  it('are no reason to wait longer: who was in the queue leaves it in time', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source, { concurrency: 1 });
    const asked = [ask(), ask()];
    expect((await Promise.all(asked)).map(outcome)).toEqual([
      'ALLOW unavailable TIMEOUT',
      'DENY overloaded NO_TIME_LEFT',
    ]);
    source.questions[0]!.answer(allow('late'));
    await turn();
    expect(source.questions).toHaveLength(1);
  });

  it.each<[what: string, end: (source: ReturnType<typeof endable>) => void]>([
    ['answers', ({ resolve }) => resolve(allow('late'))],
    ['fails', ({ resolve }) => resolve(unavailable)],
    ['rejects', ({ reject }) => reject(new Error('late'))],
  ])(
    'free their slot when the source %s late, which changes nothing',
    async (_what, end) => {
      const source = endable();
      // Were the late answer counted, too, two failures would open it.
      const { ask, states } = guardOf(source, {
        concurrency: 1,
        ...breaker({ volumeThreshold: 2, errorThreshold: 99 }),
      });
      const answer = await ask();
      const before = JSON.stringify(answer);
      expect(outcome(answer)).toBe('ALLOW unavailable TIMEOUT');
      end(source);
      await turn();
      expect(JSON.stringify(answer)).toBe(before);
      expect(states).toEqual([]);
      const next = ask();
      await turn();
      source.resolve(deny('next'));
      expect(outcome(await next)).toBe('DENY');
      expect(states).toEqual([]);
    },
  );

  it('count once, as outages: their late answers neither open nor close the breaker', async () => {
    const source = new ManualSource();
    const { ask, states, reaches } = guardOf(source, breaker({ volumeThreshold: 1 }));
    await hang(ask, 1);
    await reaches('half-open');
    expect(await hang(ask, 1)).toEqual(['ALLOW unavailable TIMEOUT']);
    expect(states).toEqual(['open', 'half-open', 'open']);
    for (const question of source.questions) question.answer(allow('late'));
    await turn();
    expect(states).toEqual(['open', 'half-open', 'open']);
    expect(outcome(await ask())).toBe('ALLOW unavailable BREAKER_OPEN');
  });

  it('leave a half-open breaker without a probe until one settles; then it recovers', async () => {
    const source = new ManualSource();
    const { ask, states, reaches } = guardOf(source, breaker({ volumeThreshold: 2 }));
    await hang(ask, 2);
    expect(states).toEqual(['open']);
    expect(await atOnce(ask())).toBe('ALLOW unavailable BREAKER_OPEN');
    await reaches('half-open');
    // No probe can be put, so nothing is known of the source: fail-open does not open it.
    for (let round = 0; round < 3; round++) {
      expect(await atOnce(ask())).toBe('DENY overloaded HUNG');
    }
    expect(outcome(await ask(10_000, 'fail-closed'))).toBe('DENY overloaded HUNG');
    expect(states).toEqual(['open', 'half-open']);
    expect(source.questions).toHaveLength(2);
    source.questions[0]!.answer(allow('late'));
    await turn();
    const probe = ask();
    await turn();
    expect(outcome(await ask())).toBe('ALLOW unavailable BREAKER_OPEN');
    source.questions[2]!.answer(deny('back'));
    expect(outcome(await probe)).toBe('DENY');
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  it('are told when they hold all slots, and again only after one has ended', async () => {
    const source = new ManualSource();
    const told = jest.fn();
    const guard = new RemoteGuard(source, defaults, {
      breakerChanged: () => {},
      allCallsHang: told,
    });
    const ask = (): Promise<ChainAnswer> =>
      Promise.resolve(chainOf(guard, 'fail-open').ask(request, new Deadline(10_000)));
    await hang(ask, 1);
    expect(told).toHaveBeenCalledTimes(0);
    await hang(ask, 1);
    expect(told).toHaveBeenCalledTimes(1);
    expect(await hang(ask, 3)).toEqual(Array(3).fill('DENY overloaded HUNG'));
    expect(told).toHaveBeenCalledTimes(1);
    source.questions[0]!.answer(allow('late'));
    await turn();
    expect(told).toHaveBeenCalledTimes(1);
    await hang(ask, 1);
    expect(told).toHaveBeenCalledTimes(2);
  });

  it('are no news to a closed guard', async () => {
    const { guard, ask } = guardOf(new ManualSource());
    await hang(ask, 2);
    await guard.close();
    expect(outcome(await ask())).toBe('DENY invalid CLOSED');
  });

  it('are none of a source that ends its calls when it is told to', async () => {
    const heeding = sourceOf(
      (_request, signal) =>
        new Promise(resolve => {
          signal.onabort = () => resolve(failed('unavailable', 'ABORTED', ''));
        }),
    );
    const { ask } = guardOf(heeding, { concurrency: 1, queue: 0 });
    for (let round = 0; round < 3; round++) {
      expect(outcome(await ask())).toBe('ALLOW unavailable TIMEOUT');
      await turn();
    }
  });

  it('are none of a source that listens, even if it takes its time to end them', async () => {
    const ends: Array<(answer: Answer) => void> = [];
    const slow = sourceOf((_request, signal) => {
      signal.onabort = () => {};
      return new Promise(resolve => ends.push(resolve));
    });
    const { ask } = guardOf(slow, { concurrency: 1, queue: 0 });
    expect(outcome(await ask())).toBe('ALLOW unavailable TIMEOUT');
    expect(outcome(await ask())).toBe('DENY overloaded QUEUE_FULL');
    ends[0]!(unavailable);
    await turn();
    expect(outcome(await ask())).toBe('ALLOW unavailable TIMEOUT');
    ends[1]!(unavailable);
  });

  it('are none of an OPA that is silent', async () => {
    const stub = await startStub(silence);
    const source = new OpaSource({
      baseUrl: stub.url,
      entrypoint: 'a/b',
      concurrency: 1,
      connectTimeout: 1000,
      maxResponseBytes: 1000,
    });
    const { guard, ask } = guardOf(source, { concurrency: 1, queue: 0 });
    try {
      for (let round = 0; round < 3; round++) {
        expect(outcome(await ask())).toBe('ALLOW unavailable TIMEOUT');
        await turn();
      }
    } finally {
      await guard.close();
      await stub.stop();
    }
  });
});

/** A source with one call at a time, which the test ends as it likes. */
function endable() {
  let end: Deferred<Answer>;
  return {
    ...sourceOf(() => (end = deferred<Answer>()).promise),
    resolve: (answer: Answer) => end.resolve(answer),
    reject: (error: Error) => end.reject(error),
  };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** As `Promise.withResolvers`, which not all supported versions of Node.js have. */
function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((whenDone, whenFailed) => {
    resolve = whenDone;
    reject = whenFailed;
  });
  return { promise, resolve, reject };
}

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

  it('sees the async context of its own caller, whoever comes and whatever ends first', async () => {
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
          const { guard } = guardOf(source, {
            concurrency,
            queue: 1000,
            timeout: 60_000,
            ...breaker({ volumeThreshold: 1000 }),
          });
          const chain = chainOf(guard, 'fail-open');
          const asked: Array<Promise<[caller: string, got: string]>> = [];
          const ask = (): void => {
            const caller = `caller-${asked.length}`;
            const own = {
              ...request,
              permission: { ...request.permission, name: caller },
            };
            asked.push(
              storage.run(caller, async (): Promise<[string, string]> => {
                const got = outcome(await chain.ask(own, new Deadline(60_000)));
                seen.push(`${caller} in ${storage.getStore()}`);
                return [caller, got];
              }),
            );
          };
          // Whoever ends a call has a context of their own, which must reach nobody.
          const end = (which: number, how: string): void => {
            const [call] = underWay.splice(which % underWay.length, 1);
            ended.set(call!.caller, how);
            storage.run('whoever ends it', () => call!.end(how));
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
          await guard.close();
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a closed guard', () => {
  it('denies every question even under fail-open', async () => {
    const source = new ManualSource();
    const { guard, ask } = guardOf(source);
    await guard.close();
    expect(outcome(await ask())).toBe('DENY invalid CLOSED');
    expect(source.closed).toBe(true);
  });
});
