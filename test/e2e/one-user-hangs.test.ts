/** An OPA that never answers what one user asks: whether the others are served all the same. */
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { permission } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { pass, resumeClock, stopClock } from '../support/clock';
import { startRouter, type TestRouter } from '../support/router';
import { decision, silence, startStub, type StubServer } from '../support/stub-server';

const TIMEOUT = 200;

let stub: StubServer;
let router: TestRouter;
let logs: CapturedLogs;

afterEach(async () => {
  router.close();
  resumeClock();
  await stub.stop();
});

/** Answers ALLOW to everyone but Mallory. */
const allButMallory: Parameters<typeof startStub>[0] = (socket, request) =>
  (request.includes('mallory') ? silence : decision({ result: 'ALLOW' }))(
    socket,
    request,
  );

async function start(circuitBreaker: object): Promise<void> {
  logs = new CapturedLogs();
  stub = await startStub(allButMallory);
  stopClock();
  router = await startRouter(
    {
      fallback: 'deny',
      sources: {
        opa: {
          type: 'opa',
          baseUrl: stub.url,
          entrypoint: 'a/b',
          timeout: `${TIMEOUT}ms`,
          circuitBreaker,
        },
      },
      routes: [{ prefix: 'tested', sources: ['opa'] }],
    },
    { logger: logs.logger() },
  );
}

const user = (name: string): PolicyQueryUser => ({
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: { userEntityRef: `user:default/${name}`, ownershipEntityRefs: [] },
});

let asked = 0;

/** The result of a question that nobody else asks. */
const ask = async (name: string): Promise<string> => {
  const query = { permission: permission(`tested.q${++asked}`) };
  return (await router.decide(query, user(name))).result;
};

/** Each of these users asks, and is not answered in time. */
async function timeOut(...names: string[]): Promise<void> {
  const before = stub.requests();
  const results = Promise.all(names.map(ask));
  await stub.untilRequests(before + names.length);
  await pass(TIMEOUT);
  expect(await results).toEqual(names.map(() => 'DENY'));
}

const breakerLines = (): string[] =>
  logs.lines
    .map(({ message }) => message)
    .filter(message => /^Source 'opa': circuit breaker/.test(message));

const mallory = (count: number): string[] => Array<string>(count).fill('mallory');

it('by default one user can stop everybody: the breaker opens', async () => {
  await start({});
  await timeOut(...mallory(8));
  expect(breakerLines()).toEqual(["Source 'opa': circuit breaker open"]);
  expect(await ask('olivia')).toBe('DENY');
});

describe('where the breaker needs two users', () => {
  it('the others are served', async () => {
    await start({ distinctUsers: 2 });
    for (let round = 0; round < 3; round++) {
      await timeOut(...mallory(8));
      expect(await Promise.all(['olivia', 'nolan', 'olivia'].map(ask))).toEqual([
        'ALLOW',
        'ALLOW',
        'ALLOW',
      ]);
    }
    expect(breakerLines()).toEqual([]);
  });

  it('an outage still opens it: it hangs for others too', async () => {
    await start({ distinctUsers: 2 });
    stub.become(silence);
    await timeOut('olivia', 'nolan', 'olivia', 'nolan', 'olivia');
    expect(breakerLines()).toEqual(["Source 'opa': circuit breaker open"]);
    const before = stub.requests();
    expect(await ask('olivia')).toBe('DENY');
    expect(stub.requests()).toBe(before);
  });

  it('an outage that one user meets does not, so each question waits', async () => {
    await start({ distinctUsers: 2 });
    stub.become(silence);
    for (let round = 0; round < 3; round++) await timeOut('olivia', 'olivia', 'olivia');
    expect(breakerLines()).toEqual([]);
  });
});
