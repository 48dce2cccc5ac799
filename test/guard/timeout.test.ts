/** When a question is given up, and what a call that then goes on does to the others. */
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { failed, type Answer } from '../../src/answer';
import { Timeout } from '../../src/guard/timeout';
import { eventLoop } from '../../src/lib/event-loop';
import { OpaSource } from '../../src/sources/opa/source';
import type { PreparedQuestion } from '../../src/sources/source';
import { allow, deny } from '../../src/verdict';
import { pass, resumeClock, stopClock } from '../support/clock';
import { ManualSource, sourceOf } from '../support/fake-source';
import {
  atOnce,
  closeGuards,
  deferred,
  guardOf,
  outcome,
  TESTED,
  withBreaker,
  type Deferred,
} from '../support/guard';
import { silence, startStub } from '../support/stub-server';

const TIMEOUT = 200;
const unavailable = failed('unavailable', 'ECONNREFUSED', 'gone');

beforeEach(() => stopClock());
afterEach(async () => {
  await closeGuards();
  resumeClock();
});

const opaAt = (baseUrl: string): OpaSource =>
  new OpaSource({
    baseUrl,
    entrypoint: 'a/b',
    concurrency: 1,
    connectTimeout: 1000,
    maxResponseBytes: 1000,
  });

describe('a question', () => {
  function timeoutOf(concurrency = 2) {
    const onAllHang = jest.fn();
    const timeout = new Timeout({ timeout: TIMEOUT, concurrency }, onAllHang);
    return { timeout, onAllHang };
  }

  const questionTo = (source: ManualSource): PreparedQuestion => source.prepare(TESTED);

  /** How busy the process is from now on, as a share of the time. */
  const busy = (utilization: number): void => {
    performance.eventLoopUtilization = () => ({ idle: 0, active: 0, utilization });
  };

  it('that is answered in time has this answer, is not aborted and leaves no timer', async () => {
    const source = new ManualSource();
    const { timeout } = timeoutOf();
    const { answer, released } = timeout.put(questionTo(source));
    await pass(TIMEOUT - 1);
    source.questions[0]!.answer(allow('yes'));
    expect(await answer).toEqual(allow('yes'));
    await released;
    expect(source.questions[0]!.signal.aborted).toBe(false);
    expect([timeout.allHang, jest.getTimerCount()]).toEqual([false, 0]);
  });

  it.each<[how: string, put: () => Promise<Answer>]>([
    ['rejects', () => Promise.reject(new TypeError('secret'))],
    [
      'throws',
      () => {
        throw new TypeError('secret');
      },
    ],
  ])(
    'whose source %s is invalid, and the message is not repeated',
    async (_how, put) => {
      const { answer, released } = timeoutOf().timeout.put({ put });
      expect(await answer).toEqual(
        failed('invalid', 'THREW', 'the source threw TypeError'),
      );
      await released;
    },
  );

  it('that is not answered is given up at the timeout, and aborted', async () => {
    const source = new ManualSource();
    const { answer } = timeoutOf().timeout.put(questionTo(source));
    await pass(TIMEOUT - 1);
    expect(source.questions[0]!.signal.aborted).toBe(false);
    await pass(1);
    expect(await answer).toEqual(
      failed('unavailable', 'TIMEOUT', 'no answer within 200 ms'),
    );
    expect(source.questions[0]!.signal.aborted).toBe(true);
  });

  it.each<[utilization: number, code: string]>([
    [0, 'unavailable TIMEOUT'],
    [0.9, 'unavailable TIMEOUT'],
    [0.91, 'overloaded STALLED'],
    [1, 'overloaded STALLED'],
  ])('that is given up when the process was %d busy is %s', async (share, expected) => {
    busy(share);
    const { answer } = timeoutOf().timeout.put(questionTo(new ManualSource()));
    await pass(TIMEOUT);
    const { failure } = (await answer) as ReturnType<typeof failed>;
    expect(`${failure.class} ${failure.code}`).toBe(expected);
  });

  describe('whose source lost time because of us', () => {
    const lose = (blocked: number): void => {
      Object.defineProperty(eventLoop, 'blocked', {
        configurable: true,
        value: blocked,
      });
    };
    const put = () => {
      lose(0);
      const source = new ManualSource();
      const { answer } = timeoutOf().timeout.put(questionTo(source));
      return { source, answer };
    };

    it('is given up only once the source had all of its time', async () => {
      const { source, answer } = put();
      lose(40);
      await pass(TIMEOUT);
      await pass(39);
      expect(source.questions[0]!.signal.aborted).toBe(false);
      await pass(1);
      expect(await answer).toMatchObject({ failure: { code: 'TIMEOUT' } });
      expect([source.questions[0]!.signal.aborted, jest.getTimerCount()]).toEqual([
        true,
        0,
      ]);
    });

    it('has the answer that comes in the time given back', async () => {
      const { source, answer } = put();
      lose(40);
      await pass(TIMEOUT);
      await pass(20);
      source.questions[0]!.answer(allow('yes'));
      expect(await answer).toEqual(allow('yes'));
    });

    it('says nothing about the source if it lost a quarter of its time', async () => {
      const { answer } = put();
      lose(TIMEOUT / 4);
      await pass(TIMEOUT);
      expect(await answer).toMatchObject({
        failure: { class: 'overloaded', code: 'STALLED' },
      });
    });

    it('is not waited for without end', async () => {
      const { answer } = put();
      lose(40);
      await pass(TIMEOUT);
      lose(49);
      await pass(40);
      lose(60);
      await pass(9);
      expect(await answer).toMatchObject({ failure: { code: 'STALLED' } });
    });
  });

  it.each<[what: string, blocked: number, expected: string]>([
    ['an outage', 0, 'unavailable ECONNREFUSED'],
    ['an overload of ours', TIMEOUT, 'overloaded STALLED'],
  ])(
    'that fails after this process may have missed the answer is %s',
    async (_what, milliseconds, expected) => {
      const source = new ManualSource();
      const { answer } = timeoutOf().timeout.put(questionTo(source));
      Object.defineProperty(eventLoop, 'blocked', {
        configurable: true,
        value: milliseconds,
      });
      const exchange = { input: 'asked' };
      source.questions[0]!.answer({ ...unavailable, exchange });
      const given = await answer;
      const { failure } = given as ReturnType<typeof failed>;
      expect(`${failure.class} ${failure.code}`).toBe(expected);
      expect(given.exchange).toBe(exchange);
    },
  );

  it('is released when the source lets go of it, which may be after the timeout', async () => {
    const source = new ManualSource();
    const { answer, released } = timeoutOf().timeout.put(questionTo(source));
    await pass(TIMEOUT);
    await answer;
    const isReleased = (): Promise<boolean> =>
      Promise.race([released.then(() => true), turn(false)]);
    expect(await isReleased()).toBe(false);
    source.questions[0]!.answer(allow('late'));
    expect(await isReleased()).toBe(true);
  });

  it('that outlasts the timeout hangs until it is released; the observer hears when all do', async () => {
    const source = new ManualSource();
    const { timeout, onAllHang } = timeoutOf(2);
    const put = async (): Promise<void> => {
      const { answer } = timeout.put(questionTo(source));
      await pass(TIMEOUT);
      await answer;
    };
    await put();
    expect([timeout.allHang, onAllHang.mock.calls.length]).toEqual([false, 0]);
    await put();
    expect([timeout.allHang, onAllHang.mock.calls.length]).toEqual([true, 1]);
    source.questions[0]!.answer(allow('late'));
    await turn();
    expect([timeout.allHang, onAllHang.mock.calls.length]).toEqual([false, 1]);
    await put();
    expect([timeout.allHang, onAllHang.mock.calls.length]).toEqual([true, 2]);
  });

  it('is answered even if the observer throws, as a broken logger would', async () => {
    const { timeout, onAllHang } = timeoutOf(1);
    onAllHang.mockImplementation(() => {
      throw new Error('the log is full');
    });
    const { answer } = timeout.put(questionTo(new ManualSource()));
    await pass(TIMEOUT);
    expect(await answer).toMatchObject({ failure: { code: 'TIMEOUT' } });
    expect(onAllHang).toHaveBeenCalledTimes(1);
  });

  it('whose source heeds the signal never hangs', async () => {
    const { timeout, onAllHang } = timeoutOf(1);
    const { answer } = timeout.put({
      put: signal => {
        signal.onabort = () => {};
        return new Promise(() => {});
      },
    });
    await pass(TIMEOUT);
    await answer;
    expect([timeout.allHang, onAllHang.mock.calls.length]).toEqual([false, 0]);
  });
});

describe('the timeout in a guard', () => {
  it('ends a question that is not answered, and aborts it', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const asked = ask(10_000, 'fail-closed');
    await pass(TIMEOUT);
    expect(outcome(await asked)).toBe('DENY unavailable TIMEOUT');
    expect(source.questions[0]!.signal.aborted).toBe(true);
  });

  it('is an outage, which fail-open opens', async () => {
    const { timeOut } = guardOf(new ManualSource());
    expect(await timeOut(1)).toEqual(['ALLOW unavailable TIMEOUT']);
  });

  it('is an overload of ours when this process was too busy to receive the answer', async () => {
    resumeClock();
    const source = new ManualSource();
    const { ask } = guardOf(source);
    const asked = ask();
    // Microtasks only: a process that nobody else keeps from running is idle for no time.
    while (source.questions.length === 0) await Promise.resolve();
    const end = performance.now() + 2 * TIMEOUT;
    while (performance.now() < end);
    expect(outcome(await asked)).toBe('DENY overloaded STALLED');
  });

  it('takes an answer that lies in the socket when a stall ends', async () => {
    // In a thread of its own, so that it answers while this one is stalled.
    const answered = new Int32Array(new SharedArrayBuffer(4));
    const server = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       require('node:http')
         .createServer((request, response) => {
           response.on('finish', () => {
             Atomics.store(workerData, 0, 1);
             Atomics.notify(workerData, 0);
           });
           request.resume().on('end', () => {
             parentPort.postMessage('asked');
             response.end('{"result":{"result":"DENY"}}');
           });
         })
         .listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });`,
      { eval: true, workerData: answered },
    );
    const [port] = (await once(server, 'message')) as [number];
    const source = opaAt(`http://127.0.0.1:${port}`);
    const { ask, close } = guardOf(source);
    try {
      const asked = ask();
      await once(server, 'message');
      // A stall: this thread sleeps until the answer has been sent, and then the time is over.
      Atomics.wait(answered, 0, 0);
      jest.advanceTimersByTime(TIMEOUT);
      expect(outcome(await asked)).toBe('DENY');
    } finally {
      await close();
      await server.terminate();
    }
  });
});

describe('calls that go on after the timeout', () => {
  it('are HUNG where they hold all slots: at once, and nothing is put or queued', async () => {
    const source = new ManualSource();
    const { ask, timeOut } = guardOf(source, { queue: 10 });
    expect(await timeOut(2)).toEqual(Array(2).fill('ALLOW unavailable TIMEOUT'));
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
    const { ask, timeOut } = guardOf(source);
    await timeOut(1);
    const next = ask();
    await turn();
    source.questions[1]!.answer(deny('next'));
    expect(outcome(await next)).toBe('DENY');
  });

  it('keep their slot and have their late answer ignored', async () => {
    const source = new ManualSource();
    const { ask, timeOut } = guardOf(source, { concurrency: 1, queue: 0 });
    expect(await timeOut(1)).toEqual(['ALLOW unavailable TIMEOUT']);
    expect(outcome(await ask())).toBe('DENY overloaded HUNG');
    source.questions[0]!.answer(allow('late'));
    await turn();
    const next = ask();
    await turn();
    source.questions[1]!.answer(deny('next'));
    expect(outcome(await next)).toBe('DENY');
  });

  it('are over as soon as one of them settles, and its slot is used again', async () => {
    const source = new ManualSource();
    const { ask, timeOut } = guardOf(source);
    await timeOut(2);
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

  it('do not make callers wait longer: those in the queue leave it in time', async () => {
    const source = new ManualSource();
    const { timeOut } = guardOf(source, { concurrency: 1 });
    expect(await timeOut(2)).toEqual([
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
      // If the late answer were counted too, two failures would open the breaker.
      const { ask, states } = guardOf(source, {
        concurrency: 1,
        ...withBreaker({ volumeThreshold: 2, errorThreshold: 99 }),
      });
      const asked = ask();
      await pass(TIMEOUT);
      const answer = await asked;
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
    const { ask, timeOut, states } = guardOf(
      source,
      withBreaker({ volumeThreshold: 1 }),
    );
    await timeOut(1);
    await pass(50);
    expect(await timeOut(1)).toEqual(['ALLOW unavailable TIMEOUT']);
    expect(states).toEqual(['open', 'half-open', 'open']);
    for (const question of source.questions) question.answer(allow('late'));
    await turn();
    expect(states).toEqual(['open', 'half-open', 'open']);
    expect(outcome(await ask())).toBe('ALLOW unavailable BREAKER_OPEN');
  });

  it('leave a half-open breaker without a probe until one settles; then it recovers', async () => {
    const source = new ManualSource();
    const { ask, timeOut, states } = guardOf(
      source,
      withBreaker({ volumeThreshold: 2 }),
    );
    await timeOut(2);
    expect(states).toEqual(['open']);
    expect(await atOnce(ask())).toBe('ALLOW unavailable BREAKER_OPEN');
    await pass(50);
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

  it('are reported when they hold all slots, and again only after one has ended', async () => {
    const source = new ManualSource();
    const { timeOut, allHang } = guardOf(source);
    await timeOut(1);
    expect(allHang.mock.calls).toEqual([]);
    await timeOut(1);
    expect(allHang.mock.calls).toEqual([[2]]);
    expect(await timeOut(3)).toEqual(Array(3).fill('DENY overloaded HUNG'));
    expect(allHang.mock.calls).toEqual([[2]]);
    source.questions[0]!.answer(allow('late'));
    await turn();
    expect(allHang.mock.calls).toEqual([[2]]);
    await timeOut(1);
    expect(allHang.mock.calls).toEqual([[2], [2]]);
  });

  it('make no difference to a closed guard', async () => {
    const { ask, timeOut, close } = guardOf(new ManualSource());
    await timeOut(2);
    await close();
    expect(outcome(await ask())).toBe('DENY invalid CLOSED');
  });

  it('do not exist for a source that ends its calls on abort', async () => {
    const heeding = sourceOf(
      (_request, signal) =>
        new Promise(resolve => {
          signal.onabort = () => resolve(failed('unavailable', 'ABORTED', ''));
        }),
    );
    const { timeOut } = guardOf(heeding, { concurrency: 1, queue: 0 });
    for (let round = 0; round < 3; round++) {
      expect(await timeOut(1)).toEqual(['ALLOW unavailable TIMEOUT']);
      await turn();
    }
  });

  it('do not exist for a source that listens, even if it takes its time to end them', async () => {
    const ends: Array<(answer: Answer) => void> = [];
    const slow = sourceOf((_request, signal) => {
      signal.onabort = () => {};
      return new Promise(resolve => ends.push(resolve));
    });
    const { ask, timeOut } = guardOf(slow, { concurrency: 1, queue: 0 });
    expect(await timeOut(1)).toEqual(['ALLOW unavailable TIMEOUT']);
    expect(outcome(await ask())).toBe('DENY overloaded QUEUE_FULL');
    ends[0]!(unavailable);
    await turn();
    expect(await timeOut(1)).toEqual(['ALLOW unavailable TIMEOUT']);
    ends[1]!(unavailable);
  });

  it('do not exist for an OPA that is silent', async () => {
    const stub = await startStub(silence);
    const source = opaAt(stub.url);
    const { ask, close } = guardOf(source, { concurrency: 1, queue: 0 });
    try {
      for (let round = 1; round <= 3; round++) {
        const asked = ask();
        await stub.untilRequests(round);
        await pass(TIMEOUT);
        expect(outcome(await asked)).toBe('ALLOW unavailable TIMEOUT');
        await turn();
      }
    } finally {
      await close();
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
