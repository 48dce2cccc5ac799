/** A kept connection may end just when it carries a question, while OPA is up. */
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Deadline } from '../../../src/lib/deadline';
import { OpaSource } from '../../../src/sources/opa/source';
import { Cancellation } from '../../../src/sources/source';
import { permission, request } from '../../fixtures/builders';
import { temporaryFolder } from '../../support/backend';
import { chainOf, closeGuards, guardOf, outcome } from '../../support/guard';
import {
  decision,
  silence,
  startStub,
  type Behaviour,
  type StubOptions,
  type StubServer,
} from '../../support/stub-server';
import { tlsFixture } from '../../support/tls-fixture';

const TIMEOUT = 10_000;
const CONCURRENCY = 4;

let stub: StubServer | undefined;
let source: OpaSource | undefined;
afterEach(async () => {
  await closeGuards();
  // Its guard may have closed it.
  await source?.close().catch(() => {});
  await stub?.stop();
  source = stub = undefined;
});

const deny = decision({ result: 'DENY' });
const reset = (socket: Socket): void => void socket.resetAndDestroy();
const close = (socket: Socket): void => void socket.end();
const destroy = (socket: Socket): void => void socket.destroy();

/** Answers the first request of each connection; does this with a connection that has another. */
function draining(end: Behaviour): Behaviour {
  const old = new Set<Socket>();
  return (socket, text) => {
    if (old.has(socket)) return end(socket, text);
    old.add(socket);
    deny(socket, text);
  };
}

async function sourceOf(
  behaviour: Behaviour,
  options: StubOptions = {},
  more: object = {},
): Promise<OpaSource> {
  stub = await startStub(behaviour, options);
  return (source = new OpaSource({
    baseUrl: stub.url,
    entrypoint: 'a/b',
    concurrency: CONCURRENCY,
    connectTimeout: TIMEOUT,
    maxResponseBytes: 1000,
    ...more,
  }));
}

const question = (index = 0): ReturnType<OpaSource['prepare']> =>
  source!.prepare(request(permission(`tested.${index}`)));

/** The kind of the answer, or the class and code of the failure. */
async function put(cancellation = new Cancellation(), index = 0): Promise<string> {
  const answer = await question(index).put(cancellation);
  return answer.kind === 'FAILED'
    ? `${answer.failure.class} ${answer.failure.code}`
    : answer.kind;
}

describe('a server that drains', () => {
  const options = {
    timeout: TIMEOUT,
    concurrency: CONCURRENCY,
    queue: 100,
  };

  it.each<[how: string, end: Behaviour]>([
    ['destroys', destroy],
    ['closes', close],
    ['resets', reset],
  ])('and %s its old connections denies what it denies', async (_how, end) => {
    const { guard, states } = guardOf(await sourceOf(draining(end)), options);
    for (const mode of ['fail-open', 'fail-closed'] as const) {
      for (let round = 0; round < 10; round++) {
        const chain = chainOf(guard, mode);
        const asked = Array.from({ length: CONCURRENCY }, async (_, index) =>
          chain.ask(request(permission(`tested.${index}`)), new Deadline(TIMEOUT)),
        );
        expect((await Promise.all(asked)).map(outcome)).toEqual(
          Array(CONCURRENCY).fill('DENY'),
        );
      }
    }
    expect(states).toEqual([]);
  });

  it('has no more connections than twice as many as may ask at once, and none at the end', async () => {
    let most = 0;
    await sourceOf(draining(destroy), {
      connected: () => (most = Math.max(most, stub?.open() ?? 0)),
    });
    for (let round = 0; round < 30; round++) {
      const asked = Array.from({ length: CONCURRENCY }, (_, index) =>
        put(new Cancellation(), index),
      );
      expect(new Set(await Promise.all(asked))).toEqual(new Set(['DENY']));
    }
    expect(most).toBeLessThanOrEqual(2 * CONCURRENCY);
    await source!.close();
    await stub!.untilOpen(0);
  });

  it('is asked over TLS with the same certificates', async () => {
    const tls = { cert: tlsFixture('server.pem'), key: tlsFixture('server.key') };
    await sourceOf(draining(destroy), {
      create: accept =>
        createTlsServer(
          { ...tls, ca: tlsFixture('ca.pem'), requestCert: true },
          accept,
        ),
    });
    await source!.close();
    source = new OpaSource({
      baseUrl: stub!.url.replace('http:', 'https:'),
      entrypoint: 'a/b',
      concurrency: 1,
      connectTimeout: TIMEOUT,
      maxResponseBytes: 1000,
      tls: {
        ca: tlsFixture('ca.pem'),
        cert: tlsFixture('client.pem'),
        key: tlsFixture('client.key'),
      },
    });
    for (let round = 0; round < 6; round++) expect(await put()).toBe('DENY');
  });

  it('is asked over a unix socket', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'opa.sock');
    const behaviour = draining(destroy);
    const sockets = new Set<Socket>();
    const server: Server = createServer(socket => {
      sockets.add(socket.on('error', () => {}));
      socket.on('data', chunk => behaviour(socket, chunk.toString()));
    }).listen(path);
    source = new OpaSource({
      baseUrl: `unix:${path}`,
      entrypoint: 'a/b',
      concurrency: 1,
      connectTimeout: TIMEOUT,
      maxResponseBytes: 1000,
    });
    for (let round = 0; round < 6; round++) expect(await put()).toBe('DENY');
    expect(sockets.size).toBeGreaterThan(1);
    await source.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
});

describe('a question on a reused connection', () => {
  /** Answers the first question, and does this with every further one. */
  async function afterFirst(then: Behaviour, options?: StubOptions): Promise<void> {
    // With a second connection the first might still be returning to the pool.
    await sourceOf(deny, options, { concurrency: 1 });
    expect(await put()).toBe('DENY');
    stub!.become(then);
  }

  it('is put only once more, and the second failure keeps its class', async () => {
    await afterFirst(destroy);
    expect(await put()).toBe('unavailable UND_ERR_SOCKET');
    expect(stub!.requests()).toBe(3);
    expect(stub!.connections()).toBe(2);
  });

  it('is put once more on a connection that has carried no other', async () => {
    const sockets = new Set<Socket>();
    const connected = (socket: Socket): void => void sockets.add(socket);
    await sourceOf(deny, { connected }, { concurrency: 2 });
    const both = (): Promise<string[]> =>
      Promise.all([put(undefined, 1), put(undefined, 2)]);
    await both();
    const kept = new Set(sockets);
    expect(kept.size).toBe(2);
    const brought = new Set<Socket>();
    stub!.become((socket, text) => {
      if (!kept.has(socket)) return deny(socket, text);
      brought.add(socket);
      // Both are dead once both have a question.
      if (brought.size === 2) for (const each of kept) each.destroy();
    });
    expect(await both()).toEqual(['DENY', 'DENY']);
    expect(sockets.size).toBe(4);
  });

  it.each<[what: string, bytes: string]>([
    ['one byte', 'H'],
    ['headers', 'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n'],
  ])('that got %s of an answer is not put again', async (_what, bytes) => {
    await afterFirst(socket => socket.end(bytes));
    expect(await put()).toBe('unavailable UND_ERR_SOCKET');
    expect(stub!.requests()).toBe(2);
  });

  it('that was given up is not put again', async () => {
    const cancellation = new Cancellation();
    await afterFirst(silence);
    const asked = put(cancellation);
    await stub!.untilRequests(2);
    cancellation.abort();
    expect(await asked).toMatch(/^invalid /);
    expect(stub!.requests()).toBe(2);
  });

  it('that was given up just as its connection ended is not put again', async () => {
    const cancellation = new Cancellation();
    await afterFirst(silence);
    const asked = put(cancellation);
    await stub!.untilRequests(2);
    cancellation.aborted = true;
    stub!.become(deny);
    await stub!.stop();
    expect(await asked).toBe('unavailable UND_ERR_SOCKET');
  });

  it('can be given up while it is put once more', async () => {
    const cancellation = new Cancellation();
    let first = true;
    await afterFirst(socket => {
      if (first) socket.destroy();
      first = false;
    });
    const asked = put(cancellation);
    await stub!.untilRequests(3);
    cancellation.abort();
    expect(await asked).toMatch(/^invalid /);
    await stub!.untilOpen(0);
  });
});

it('a question on a fresh connection is not put again', async () => {
  await sourceOf(destroy);
  expect(await put()).toBe('unavailable UND_ERR_SOCKET');
  expect(stub!.requests()).toBe(1);
});

it('the circuit breaker counts one failure of a question that was put twice', async () => {
  const { ask, states } = guardOf(await sourceOf(deny, {}, { concurrency: 1 }), {
    timeout: TIMEOUT,
    circuitBreaker: {
      errorThreshold: 60,
      volumeThreshold: 2,
      rollingWindow: 60_000,
      resetTimeout: 60_000,
      distinctUsers: 1,
    },
  });
  expect(outcome(await ask())).toBe('DENY');
  stub!.become(destroy);
  expect(outcome(await ask())).toBe('ALLOW unavailable UND_ERR_SOCKET');
  expect(stub!.requests()).toBe(3);
  expect(states).toEqual([]);
});
