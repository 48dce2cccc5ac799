/** An OPA that accepts questions and never answers, with more callers than it has slots for. */
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { pass, resumeClock, stopClock } from '../support/clock';
import { decision, silence, startStub, type StubServer } from '../support/stub-server';
import { until } from '../support/until';

let stub: StubServer;
let backend: RunningBackend;

beforeAll(async () => {
  stub = await startStub(silence);
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
          circuitBreaker: { volumeThreshold: 4, resetTimeout: '1s' },
        },
      },
      routes: [{ prefix: 'tested', sources: ['opa'] }],
    },
  });
});

afterEach(resumeClock);

afterAll(async () => {
  await backend.stop();
  await stub.stop();
});

it('an OPA that never answers gets no more questions than it has slots, then none, and is used again once it answers', async () => {
  const token = await backend.signIn('nolan');
  // Every question is different, or they would share one request.
  let asked = 0;
  const ask = () =>
    authorize(backend.url, token, [basic(`tested.q${++asked}.read`, 'read')]);
  const denied = { status: 200, results: ['DENY'] };

  stopClock();
  const asking = Promise.all(Array.from({ length: 20 }, ask));
  await until(
    () => backend.traces.length === 20 - 8,
    'those without a slot were denied',
  );
  await stub.untilRequests(4);
  await pass(200);
  const answers = await asking;
  expect(answers).toEqual(answers.map(() => denied));
  await backend.logs.waitFor("Source 'opa': circuit breaker open");
  const codes = backend.traces.map(({ sources }) => sources[0]!.failure!.code);
  expect(codes.sort()).toEqual([
    ...Array<string>(4).fill('NO_TIME_LEFT'),
    ...Array<string>(12).fill('QUEUE_FULL'),
    ...Array<string>(4).fill('TIMEOUT'),
  ]);
  expect(stub.requests()).toBe(4);
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(
    Array.from({ length: 20 }, () => denied),
  );
  expect(backend.traces.at(-1)!.sources[0]!.failure!.code).toBe('BREAKER_OPEN');
  expect(stub.requests()).toBe(4);
  // An unused new connection is kept for four seconds.
  await pass(6_000);
  await stub.untilOpen(0);

  stub.become(decision({ result: 'ALLOW' }));
  await backend.logs.waitFor("Source 'opa': circuit breaker half-open");
  expect(await ask()).toEqual({ status: 200, results: ['ALLOW'] });
  await backend.logs.waitFor("Source 'opa': circuit breaker closed");
});
