/** An OPA that accepts questions and says nothing, under more callers than it has places for. */
import {
  authorize,
  basic,
  startTestBackend,
  type TestBackend,
} from '../support/backend';
import { assumeIdleLoop } from '../support/idle-loop';
import { decision, silence, startStub, type StubServer } from '../support/stub-server';

let stub: StubServer;
let backend: TestBackend;

assumeIdleLoop();

beforeAll(async () => {
  stub = await startStub(silence);
  backend = await startTestBackend({
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

afterAll(async () => {
  await backend.stop();
  await stub.stop();
});

it('is asked by no more than its places, then not at all, and is noticed when it is back', async () => {
  const token = await backend.signIn('nolan');
  // Each something of their own, or they would share one question.
  let asked = 0;
  const ask = () =>
    authorize(backend.url, token, [basic(`tested.q${++asked}.read`, 'read')]);
  const denied = { status: 200, results: ['DENY'] };

  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers).toEqual(answers.map(() => denied));
  await backend.logs.waitFor("Source 'opa': circuit breaker open");
  const codes = new Set(
    backend.traces.flatMap(trace => trace.sources.map(({ failure }) => failure?.code)),
  );
  expect(codes).toContain('TIMEOUT');
  expect(codes).toContain('QUEUE_FULL');

  const put = stub.requests();
  expect(put).toBeLessThanOrEqual(8);
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(
    Array.from({ length: 20 }, () => denied),
  );
  expect(backend.traces.at(-1)!.sources[0]!.failure!.code).toBe('BREAKER_OPEN');
  expect(stub.requests()).toBe(put);
  await stub.untilOpen(0);

  stub.become(decision({ result: 'ALLOW' }));
  await backend.logs.waitFor("Source 'opa': circuit breaker half-open");
  expect(await ask()).toEqual({ status: 200, results: ['ALLOW'] });
  await backend.logs.waitFor("Source 'opa': circuit breaker closed");
});
