/**
 * A healthy OPA that answers DENY at once, and a process too busy to hear it: fail-open must not
 * take the one for the other. On real sockets and threads, in real time; what is asserted does not
 * depend on how fast the machine is.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, open, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { DecisionRecord } from '../../src/trace/record';
import { permission } from '../fixtures/builders';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';
import { startRouter, type TestRouter } from '../support/router';
import { tlsFixture } from '../support/tls-fixture';

/** For an answer that does not come, and for one that comes however slow the machine is. */
const TIMEOUT = 200;
const GENEROUS_TIMEOUT = 20_000;

/** Closes each connection after its answer, so that each question needs a new one. */
const OPA = `
  const { parentPort, workerData } = require('node:worker_threads');
  const answer = (request, response) => request.resume().on('end', () => {
    response.setHeader('connection', 'close');
    response.end('{"result":{"result":"DENY"}}');
  });
  const server = workerData
    ? require('node:https').createServer(workerData, answer)
    : require('node:http').createServer(answer);
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
    parentPort.postMessage(server.address().port));`;

const records: DecisionRecord[] = [];
let opa: Worker;
let router: TestRouter;

afterEach(async () => {
  measureLoop();
  records.length = 0;
  router.close();
  await opa.terminate();
});

/** An OPA in a thread of its own, and a router that fails open without it. */
async function start(
  baseUrl: (port: number) => string,
  timeout: number,
  certificate?: { readonly cert: string; readonly key: string },
): Promise<void> {
  opa = new Worker(OPA, { eval: true, workerData: certificate });
  const [port] = (await once(opa, 'message')) as [number];
  router = await startRouter(
    {
      fallback: 'deny',
      anonymous: 'evaluate',
      deadline: '1m',
      sources: {
        opa: {
          type: 'opa',
          baseUrl: baseUrl(port),
          entrypoint: 'a/b',
          timeout: `${timeout}ms`,
          onUnavailable: 'fail-open',
          ...(certificate ? { tls: { ca: tlsFixture('ca.pem') } } : {}),
        },
      },
      routes: [{ prefix: 'tested', sources: ['opa'] }],
    },
    { sinks: [record => records.push(record)] },
  );
}

let asked = 0;

/** The results of so many questions at once, each of them another one. */
const ask = (count: number): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const query = { permission: permission(`tested.q${++asked}`) };
      return (await router.decide(query)).result;
    }),
  );

/** Every failure that was recorded, once. */
const failures = (): string[] => [
  ...new Set(
    records.flatMap(({ sources }) =>
      sources.flatMap(({ failure }) =>
        failure ? [`${failure.class} ${failure.code}`] : [],
      ),
    ),
  ),
];

const denied = (count: number): string[] => Array<string>(count).fill('DENY');

it('a process that computes in long slices opens nothing, and no breaker', async () => {
  await start(port => `https://127.0.0.1:${port}`, TIMEOUT, {
    cert: tlsFixture('server.pem'),
    key: tlsFixture('server.key'),
  });
  let ended = false;
  const neighbour = (async () => {
    while (!ended) {
      const end = performance.now() + TIMEOUT - 10;
      while (performance.now() < end);
      await delay(5);
    }
  })();
  for (const count of [1, 4, 16, 64]) expect(await ask(count)).toEqual(denied(count));
  ended = true;
  await neighbour;
  expect(failures().filter(failure => failure !== 'overloaded STALLED')).toEqual([]);
});

it('a process whose threads are all taken opens nothing: no name can be looked up', async () => {
  await start(port => `http://localhost:${port}`, TIMEOUT);
  takeLoopForIdle();
  const threads = await takeThreads();
  try {
    expect(await ask(8)).toEqual(denied(8));
    expect(failures()).toEqual(['overloaded THREADS_BUSY']);
  } finally {
    await threads.release();
  }
});

it('an address needs no thread', async () => {
  await start(port => `http://127.0.0.1:${port}`, GENEROUS_TIMEOUT);
  takeLoopForIdle();
  const threads = await takeThreads();
  try {
    expect(await ask(8)).toEqual(denied(8));
    expect(failures()).toEqual([]);
  } finally {
    await threads.release();
  }
});

/** Holds all threads until they are released: each waits for a writer of a FIFO. */
async function takeThreads(): Promise<{ release(): Promise<void> }> {
  const count = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  const folder = await mkdtemp(join(tmpdir(), 'threads-'));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const opened = Array.from({ length: count }, () => promisify(open)(fifo, 'r'));
  return {
    async release() {
      // Ends the wait of all readers; opening blocks until there is one.
      const writer = openSync(fifo, 'w');
      for (const reader of await Promise.all(opened)) closeSync(reader);
      closeSync(writer);
      await rm(folder, { recursive: true });
    },
  };
}
