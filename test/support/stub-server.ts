import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** How long to wait, in milliseconds; an idle connection is kept for four seconds. */
const WAIT = 90_000;

/** What the server does with a connection on which a request has arrived. */
export type Behaviour = (socket: Socket, request: string) => void;

export interface StubOptions {
  /** Gets each connection before anything is read from it. */
  readonly connected?: (socket: Socket) => void;
  /** Creates the server, for example with TLS or a connection limit. */
  readonly create?: (accept: (socket: Socket) => void) => Server;
}

export interface StubServer {
  readonly url: string;
  /** The number of requests received. */
  readonly requests: () => number;
  /** The number of connections made. */
  readonly connections: () => number;
  /** The number of open connections. */
  readonly open: () => number;
  /** Waits until this many requests were received since the start. */
  untilRequests(count: number): Promise<void>;
  /** Waits until this many connections are open. */
  untilOpen(count: number): Promise<void>;
  become(behaviour: Behaviour): void;
  stop(): Promise<void>;
}

/** A raw TCP server for what OPA itself would not do: hang, reset, answer garbage. */
export async function startStub(
  initial: Behaviour,
  { connected, create = createServer }: StubOptions = {},
): Promise<StubServer> {
  let behaviour = initial;
  let requests = 0;
  let connections = 0;
  const sockets = new Set<Socket>();
  const events = new EventEmitter().setMaxListeners(0);
  const server: Server = create(socket => {
    connections++;
    sockets.add(socket);
    events.emit('change');
    socket.on('close', () => {
      sockets.delete(socket);
      events.emit('change');
    });
    socket.on('error', () => {});
    connected?.(socket);
    let received = '';
    socket.on('data', chunk => {
      received += chunk.toString('latin1');
      if (!isComplete(received)) return;
      requests++;
      events.emit('change');
      const request = received;
      received = '';
      behaviour(socket, request);
    });
  });
  // Hundreds may ask at once, and wait for seconds where the kernel has no place for them.
  const listen = { host: '127.0.0.1', port: 0, backlog: 4096 };
  await new Promise<void>(resolve => server.listen(listen, resolve));
  const { port } = server.address() as AddressInfo;
  const until = async (isSo: () => boolean, what: () => string): Promise<void> => {
    const signal = AbortSignal.timeout(WAIT);
    while (!isSo()) {
      await once(events, 'change', { signal }).catch(() => {
        throw new Error(what());
      });
    }
  };
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    connections: () => connections,
    open: () => sockets.size,
    untilRequests: count =>
      until(
        () => requests >= count,
        () => `${requests} requests have arrived`,
      ),
    untilOpen: count =>
      until(
        () => sockets.size === count,
        () => `${sockets.size} connections are open`,
      ),
    become: next => {
      behaviour = next;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

function isComplete(received: string): boolean {
  const [head, body] = received.split('\r\n\r\n', 2);
  const length = /content-length: (\d+)/i.exec(head ?? '')?.[1];
  return body !== undefined && body.length >= Number(length ?? 0);
}

/** An HTTP response with this body, on a connection that stays open. */
export const answer =
  (body: string, status = '200 OK', headers = ''): Behaviour =>
  socket => {
    socket.write(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`,
    );
  };

export const decision = (result: unknown): Behaviour =>
  answer(JSON.stringify({ result }));

/** Accepts, reads and never answers. */
export const silence: Behaviour = () => {};
