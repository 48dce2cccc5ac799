import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { BreakerState } from '../../src/guard/circuit-breaker';
import { Deadline } from '../../src/guard/deadline';
import { Chain, type ChainAnswer, type OnUnavailable } from '../../src/guard/chain';
import { RemoteGuard, type RemoteGuardOptions } from '../../src/guard/remote-guard';
import type { PermissionRequest } from '../../src/request';
import { OpaSource } from '../../src/sources/opa/source';
import { failed, type RemoteSource } from '../../src/sources/source';
import { allow, deny } from '../../src/verdict';
import { ManualSource, sourceOf } from '../support/fake-source';

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
  const guard = new RemoteGuard(source, { ...defaults, ...options }, state => {
    states.push(state);
    waiting.get(state)?.();
  });
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

  it('is an overload of ours when this process was too busy to take the answer', async () => {
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

describe('a closed guard', () => {
  it('denies every question even under fail-open', async () => {
    const source = new ManualSource();
    const { guard, ask } = guardOf(source);
    await guard.close();
    expect(outcome(await ask())).toBe('DENY invalid CLOSED');
    expect(source.closed).toBe(true);
  });
});
