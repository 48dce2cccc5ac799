/**
 * A hot reload fails no decision, no matter how many are in flight; and one question discovers
 * that OPA is available again, without a restart.
 */
import { CapturedLogs } from '../support/captured-logs';
import {
  startNameRouter,
  tally,
  type InProcessRouter,
  type Outcome,
} from '../support/in-process';
import { answer, type Behaviour } from '../support/stub-server';
import { startWatchedStub, type WatchedStub } from '../support/watched-stub';

const CALLERS = 300;
const CONCURRENCY = 64;

/** Answers on a connection that stays open for minutes unless the router closes it. */
const deciding = (result: string): Behaviour =>
  answer(
    JSON.stringify({ result: { result } }),
    '200 OK',
    'keep-alive: timeout=600\r\n',
  );
const allowing = deciding('ALLOW');
const denying = deciding('DENY');

/** Holds the answers until they are released; `arrived` waits for that many questions. */
class Hold {
  private readonly held: Array<() => void> = [];
  private wanted = Infinity;
  private reached: () => void = () => {};

  constructor(private readonly then: Behaviour) {}

  readonly behaviour: Behaviour = (socket, request) => {
    this.held.push(() => this.then(socket, request));
    if (this.held.length >= this.wanted) this.reached();
  };

  arrived(count: number): Promise<void> {
    this.wanted = count;
    return new Promise(resolve => {
      this.reached = resolve;
      if (this.held.length >= count) resolve();
    });
  }

  release(): void {
    for (const answer of this.held.splice(0)) answer();
  }
}

let first: WatchedStub;
let second: WatchedStub;
let router: InProcessRouter;
let logs: CapturedLogs;

beforeEach(async () => {
  first = await startWatchedStub(allowing);
  second = await startWatchedStub(denying);
  logs = new CapturedLogs();
});
afterEach(async () => {
  router.close();
  await first.stop();
  await second.stop();
});

/** A table with one route to the OPA at the stub. */
const configOf = (
  stub: WatchedStub,
  { opa = {}, ...more }: { opa?: object; [key: string]: unknown } = {},
): object => ({
  fallback: 'deny',
  sources: {
    opa: {
      type: 'opa',
      baseUrl: stub.url,
      entrypoint: 'a/b',
      concurrency: CONCURRENCY,
      queue: CALLERS,
      circuitBreaker: { volumeThreshold: 1, resetTimeout: '1h' },
      ...opa,
    },
  },
  routes: [{ prefix: 'tested', sources: ['opa'] }],
  ...more,
});

let asked = 0;
const askMany = (count: number): Promise<Outcome[]> =>
  Promise.all(Array.from({ length: count }, () => router.ask(`tested.q${++asked}`)));

describe('a reload', () => {
  it('lets hundreds of decisions in flight finish with the source they started with', async () => {
    const hold = new Hold(allowing);
    first.become(hold.behaviour);
    router = await startNameRouter(configOf(first), logs.logger());
    const before = askMany(CALLERS);
    await hold.arrived(CONCURRENCY);

    await router.reload(configOf(second));
    expect(tally(await askMany(CALLERS))).toEqual({ DENY: CALLERS });
    expect(first.open()).toBe(CONCURRENCY);

    // Those that were queued are still sent to the old source.
    first.become(allowing);
    hold.release();
    expect(tally(await before)).toEqual({ ALLOW: CALLERS });
    expect(first.names).toHaveLength(CALLERS);
    expect(second.names).toHaveLength(CALLERS);
    await first.untilOpen(0);
    expect(second.open()).toBeLessThanOrEqual(CONCURRENCY);
  });

  it('repeated 40 times lets each decision finish with the table it started with', async () => {
    router = await startNameRouter(configOf(first), logs.logger());
    const all: Array<Promise<void>> = [];
    for (let round = 0; round < 40; round++) {
      const isFirst = round % 2 === 0;
      const answers = askMany(50);
      all.push(
        answers.then(outcomes =>
          expect(tally(outcomes)).toEqual({ [isFirst ? 'ALLOW' : 'DENY']: 50 }),
        ),
      );
      // Not waiting for the answers.
      await router.reload(configOf(isFirst ? second : first));
    }
    await Promise.all(all);
    await second.untilOpen(0);
    router.close();
    await first.untilOpen(0);
  });

  it('keeps the connections of an unchanged source if only the table changes', async () => {
    const hold = new Hold(allowing);
    first.become(hold.behaviour);
    router = await startNameRouter(configOf(first), logs.logger());
    const before = askMany(CALLERS);
    await hold.arrived(CONCURRENCY);
    expect(first.connections()).toBe(CONCURRENCY);

    const tables = [
      { fallback: 'allow' },
      { routes: [{ prefix: '', sources: ['opa'] }] },
      { opa: { onUnavailable: 'fail-open' } },
    ];
    for (const table of tables) await router.reload(configOf(first, table));
    first.become(allowing);
    hold.release();
    expect(tally(await before)).toEqual({ ALLOW: CALLERS });
    expect(tally(await askMany(CALLERS))).toEqual({ ALLOW: CALLERS });
    expect(first.connections()).toBe(CONCURRENCY);
  });

  it('lets decisions of two tables share one question, each with its own failure mode', async () => {
    const hold = new Hold(socket => socket.resetAndDestroy());
    first.become(hold.behaviour);
    router = await startNameRouter(configOf(first), logs.logger());
    const closed = router.ask('tested.same');
    await hold.arrived(1);
    await router.reload(configOf(first, { opa: { onUnavailable: 'fail-open' } }));
    const open = router.ask('tested.same');
    hold.release();
    expect([(await closed).result, (await open).result]).toEqual(['DENY', 'ALLOW']);
    expect(first.names).toEqual(['tested.same']);
  });

  it('keeps the open breaker of an unchanged source and resets that of a changed one', async () => {
    first.become(socket => socket.resetAndDestroy());
    router = await startNameRouter(configOf(first), logs.logger());
    expect((await router.ask('tested.q')).code).toBe('ECONNRESET');
    await logs.waitFor('circuit breaker open');
    first.become(allowing);

    await router.reload(configOf(first, { fallback: 'allow' }));
    expect(tally(await askMany(20))).toEqual({ BREAKER_OPEN: 20 });
    expect(first.names).toHaveLength(1);

    await router.reload(configOf(first, { opa: { timeout: '59s' } }));
    expect(tally(await askMany(20))).toEqual({ ALLOW: 20 });
  });
});

describe('an OPA after an outage', () => {
  it('is probed by one question; the others are refused until that is answered', async () => {
    first.become(socket => socket.resetAndDestroy());
    const circuitBreaker = { volumeThreshold: 1, resetTimeout: '100ms' };
    router = await startNameRouter(
      configOf(first, { opa: { circuitBreaker } }),
      logs.logger(),
    );
    await router.ask('tested.q');
    await logs.waitFor('circuit breaker half-open');

    const hold = new Hold(allowing);
    first.become(hold.behaviour);
    const probe = router.ask('tested.probe');
    await hold.arrived(1);
    expect(tally(await askMany(20))).toEqual({ BREAKER_OPEN: 20 });
    expect(first.names).toEqual(['tested.q', 'tested.probe']);

    first.become(allowing);
    hold.release();
    expect((await probe).result).toBe('ALLOW');
    await logs.waitFor('circuit breaker closed');
    expect(tally(await askMany(100))).toEqual({ ALLOW: 100 });
  });

  it('gets no question after a failed probe until the next probe', async () => {
    first.become(socket => socket.resetAndDestroy());
    const circuitBreaker = { volumeThreshold: 1, resetTimeout: '100ms' };
    router = await startNameRouter(
      configOf(first, { opa: { circuitBreaker } }),
      logs.logger(),
    );
    await router.ask('tested.q');
    await logs.waitFor('circuit breaker half-open');
    const since = logs.lines.length;
    expect((await router.ask('tested.probe')).code).toBe('ECONNRESET');
    await logs.waitFor('circuit breaker open', since);
    await logs.waitFor('circuit breaker half-open', since);
    first.become(allowing);
    expect((await router.ask('tested.next')).result).toBe('ALLOW');
    await logs.waitFor('circuit breaker closed', since);
    expect(first.names).toEqual(['tested.q', 'tested.probe', 'tested.next']);
  });
});
