/**
 * More callers than a failing OPA has slots for: which questions reach it, wait or are
 * turned away, and what that costs. Every question is different, so none share a request.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { CapturedLogs } from '../support/captured-logs';
import { pass, resumeClock, stopClock } from '../support/clock';
import {
  startNameRouter,
  tally,
  type InProcessRouter,
  type Outcome,
} from '../support/in-process';
import { decision, silence, type Behaviour } from '../support/stub-server';
import { until } from '../support/until';
import { startWatchedStub, type WatchedStub } from '../support/watched-stub';

const NEVER_OPENS = { volumeThreshold: 1_000_000 };

const slowly =
  (milliseconds: number): Behaviour =>
  (socket, request) => {
    setTimeout(() => decision({ result: 'ALLOW' })(socket, request), milliseconds);
  };

let stub: WatchedStub;
let router: InProcessRouter;
let logs: CapturedLogs;

async function start(opa: object, behaviour: Behaviour): Promise<void> {
  stub = await startWatchedStub(behaviour);
  logs = new CapturedLogs();
  router = await startNameRouter(
    {
      fallback: 'deny',
      sources: {
        opa: { type: 'opa', baseUrl: stub.url, entrypoint: 'a/b', ...opa },
      },
      routes: [{ prefix: 'tested', sources: ['opa'] }],
    },
    logs.logger(),
  );
}

let asked = 0;
const askMany = (count: number): Promise<Outcome[]> =>
  Promise.all(Array.from({ length: count }, () => router.ask(`tested.q${++asked}`)));

const namesWith = (outcomes: readonly Outcome[], ...codes: string[]): string[] =>
  outcomes
    .filter(({ code, result }) => codes.includes(code ?? result))
    .map(({ name }) => name);

describe('in process', () => {
  beforeEach(stopClock);
  afterEach(async () => {
    router.close();
    resumeClock();
    await stub.stop();
  });

  describe.each([64, 1000])('%i callers', callers => {
    it('ask an OPA that never answers: it gets no more questions than it has slots, the rest are turned away', async () => {
      await start(
        { timeout: '300ms', concurrency: 8, queue: 16, circuitBreaker: NEVER_OPENS },
        silence,
      );
      for (let round = 0; round < 2; round++) {
        stub.forget();
        const asking = askMany(callers);
        await stub.arrived(8);
        await pass(300);
        const outcomes = await asking;
        expect(outcomes.every(({ result }) => result === 'DENY')).toBe(true);
        expect(tally(outcomes)).toEqual({
          QUEUE_FULL: callers - 8 - 16,
          NO_TIME_LEFT: 16,
          TIMEOUT: 8,
        });
        const put = namesWith(outcomes, 'TIMEOUT');
        // Only the questions that waited for an answer were ever sent.
        expect([...stub.names].sort()).toEqual(put.sort());
        expect(stub.mostOpen()).toBeLessThanOrEqual(8);
      }
    });

    it('ask a slow OPA: as many are answered as its slots can take in the time', async () => {
      const places = { concurrency: 8, queue: 32 };
      await start(
        { timeout: '1s', ...places, circuitBreaker: NEVER_OPENS },
        slowly(150),
      );
      const asking = askMany(callers);
      for (const reached of [8, 16, 24, 32]) {
        await stub.arrived(reached);
        await pass(150);
      }
      const outcomes = await asking;
      // The last in the queue would be sent after 600 ms, with less than half of the time left.
      expect(tally(outcomes)).toEqual({
        ALLOW: 32,
        NO_TIME_LEFT: 8,
        QUEUE_FULL: callers - 8 - 32,
      });
      const reached = namesWith(outcomes, 'ALLOW');
      expect([...stub.names].sort()).toEqual(reached.sort());
      expect(stub.mostOpen()).toBeLessThanOrEqual(8);
      expect(stub.mostUnderWay()).toBeLessThanOrEqual(8);
    });
  });

  it('a question that is out of time is never sent, even once OPA answers again', async () => {
    await start(
      { timeout: '300ms', concurrency: 2, queue: 100, circuitBreaker: NEVER_OPENS },
      silence,
    );
    const first = askMany(50);
    await stub.arrived(2);
    await pass(300);
    const outcomes = await first;
    stub.become(decision({ result: 'ALLOW' }));
    const later = await askMany(10);
    expect(later.every(({ result }) => result === 'ALLOW')).toBe(true);
    const tooLate = namesWith(outcomes, 'NO_TIME_LEFT');
    expect(tooLate).toHaveLength(48);
    expect(stub.names.filter(name => tooLate.includes(name))).toEqual([]);
  });

  it('callers who give up and ask again do not pile up connections', async () => {
    await start(
      { timeout: '200ms', concurrency: 8, queue: 16, circuitBreaker: NEVER_OPENS },
      silence,
    );
    const all: Array<Promise<Outcome>> = [];
    for (let round = 0; round < 30; round++) {
      const callers = Array.from({ length: 64 }, () =>
        router.ask(`tested.q${++asked}`),
      );
      all.push(...callers);
      // They give up at the first answer, which in later rounds is a QUEUE_FULL.
      await Promise.race(callers);
      if (round === 0) await stub.arrived(8);
      await pass(20);
    }
    await pass(400);
    const outcomes = await Promise.all(all);
    expect(outcomes.every(({ result }) => result === 'DENY')).toBe(true);
    expect(stub.mostOpen()).toBeLessThanOrEqual(8);
    const put = namesWith(outcomes, 'TIMEOUT', 'CUT_SHORT');
    // No question was sent twice or after it was given up; some were given up before they were sent.
    expect(new Set(stub.names).size).toBe(stub.names.length);
    expect(stub.names.filter(name => !put.includes(name))).toEqual([]);
    // An idle connection is kept for four seconds.
    await pass(6_000);
    await stub.untilOpen(0);
    // Giving up a question ends its connection; undici opens a new one for it and leaves that idle.
    expect(stub.connections()).toBeLessThanOrEqual(2 * put.length);
  });

  it.each<[string, object, Behaviour]>([
    ['no answers', { timeout: '100ms' }, silence],
    ['connections reset', { timeout: '1s' }, socket => socket.resetAndDestroy()],
  ])(
    'an outage (%s) logs only a few lines for 20,000 decisions',
    async (_what, more, behaviour) => {
      const circuitBreaker = { volumeThreshold: 5, resetTimeout: '200ms' };
      await start({ concurrency: 8, queue: 16, circuitBreaker, ...more }, behaviour);
      for (let round = 0; round < 40; round++) {
        const asking = askMany(500);
        await pass(100);
        const outcomes = await asking;
        expect(outcomes.every(({ result }) => result === 'DENY')).toBe(true);
      }
      const lines = logs.lines.filter(({ level }) => level !== 'debug');
      const ofBreaker = lines.filter(({ message }) => message.includes('breaker '));
      const ofFailures = lines.filter(line => !ofBreaker.includes(line));
      // One line per kind of failure and minute; the breaker logs by time, not per decision.
      expect(ofFailures.length).toBeGreaterThan(1);
      expect(ofFailures.length).toBeLessThanOrEqual(12);
      expect(ofBreaker.length).toBeLessThanOrEqual(100);
      const bytes = lines.reduce((sum, { message }) => sum + message.length, 0);
      expect(bytes).toBeLessThan(10_000);
    },
  );

  it('a long outage leaks no memory', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const heap = (): number => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    await start(
      { timeout: '100ms', concurrency: 8, queue: 64, circuitBreaker: NEVER_OPENS },
      silence,
    );
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) {
        const asking = askMany(1000);
        await pass(100);
        await asking;
      }
    };
    await rounds(10);
    const before = heap();
    await rounds(20);
    // After 20,000 more decisions, a leak of 200 bytes each would show.
    expect(heap() - before).toBeLessThan(4_000_000);
  });
});

describe('through a backend', () => {
  let backend: RunningBackend;
  let token: string;

  beforeAll(async () => {
    stub = await startWatchedStub(silence);
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: {
            type: 'opa',
            baseUrl: stub.url,
            entrypoint: 'a/b',
            timeout: '200ms',
            concurrency: 4,
            queue: 4,
            circuitBreaker: NEVER_OPENS,
          },
        },
        routes: [{ prefix: 'tested', sources: ['opa'] }],
      },
    });
    token = await backend.signIn('nolan');
  });
  afterEach(resumeClock);
  afterAll(async () => {
    await backend.stop();
    await stub.stop();
  });

  it('64 clients of an OPA that never answers all get a response, over no more connections than slots', async () => {
    stopClock();
    const asking = Promise.all(
      Array.from({ length: 64 }, () =>
        authorize(backend.url, token, [basic(`tested.q${++asked}`)]),
      ),
    );
    await until(() => backend.traces.length === 64 - 8, 'all others were turned away');
    await stub.arrived(4);
    await pass(200);
    const answers = await asking;
    expect(answers).toEqual(answers.map(() => ({ status: 200, results: ['DENY'] })));
    const outcomes = backend.traces.map(({ permission, result, sources }) => ({
      name: permission!.name,
      result,
      code: sources[0]?.failure?.code,
    }));
    expect(tally(outcomes)).toEqual({ QUEUE_FULL: 56, NO_TIME_LEFT: 4, TIMEOUT: 4 });
    const put = namesWith(outcomes, 'TIMEOUT');
    expect([...stub.names].sort()).toEqual(put.sort());
    expect(stub.mostOpen()).toBeLessThanOrEqual(4);
  });

  it('clients who give up and ask again do not pile up connections', async () => {
    stub.forget();
    for (let round = 0; round < 5; round++) {
      const clients = Array.from({ length: 64 }, () =>
        fetch(`${backend.url}/api/permission/authorize`, {
          method: 'POST',
          signal: AbortSignal.timeout(50),
          headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${token}`,
          },
          body: JSON.stringify({
            items: [{ id: '0', ...basic(`tested.q${++asked}`) }],
          }),
        }).then(
          response => response.text(),
          () => undefined,
        ),
      );
      await Promise.all(clients);
    }
    expect(stub.mostOpen()).toBeLessThanOrEqual(4);
    await stub.untilOpen(0);
  });
});
