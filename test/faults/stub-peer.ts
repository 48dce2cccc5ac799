/** Stubs as peers, and the pieces of HTTP they send. */
import type { Socket } from 'node:net';
import {
  startStub,
  type Behaviour,
  type StubOptions,
  type StubServer,
} from '../support/stub-server';
import { scene, type Outcome, type Peer, type Row, type Scene } from './fault';

export type StubPeer = StubServer & Peer;

/** @param source - its config where the stub is reached in another way than by its URL. */
export async function startStubPeer(
  does: Behaviour,
  options: StubOptions = {},
  source: (url: string) => object = () => ({}),
): Promise<StubPeer> {
  const stub = await startStub(does, options);
  return { ...stub, source: { baseUrl: stub.url, ...source(stub.url) } };
}

/** A stub that does one thing to whoever asks. */
export const stubScene = (
  name: string,
  does: Behaviour,
  outcome: Outcome,
  { type, after, ...options }: StubOptions & Pick<Row<StubPeer>, 'type' | 'after'> = {},
): Scene =>
  scene(
    () => startStubPeer(does, options),
    [{ name, outcome, ...(type && { type }), ...(after && { after }) }],
  );

/** Expects that the router has given up its connections, and does not let them pile up. */
export const isLeft = (peer: StubPeer): Promise<void> => peer.untilOpen(0);

type Bytes = string | Buffer;

/** A whole HTTP response. */
export const response = (
  body: Bytes,
  status = '200 OK',
  headers: readonly string[] = [],
): Buffer =>
  Buffer.concat([
    Buffer.from(
      [
        `HTTP/1.1 ${status}`,
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(body)}`,
        ...headers,
        '\r\n',
      ].join('\r\n'),
    ),
    Buffer.from(body),
  ]);

export const says =
  (bytes: Bytes): Behaviour =>
  socket =>
    socket.write(bytes);

/** Says it and ends the connection in order. */
export const saysAndCloses =
  (bytes: Bytes): Behaviour =>
  socket =>
    socket.end(bytes);

export const saysAndResets =
  (bytes: Bytes): Behaviour =>
  socket =>
    socket.write(bytes, () => reset(socket));

/** RST and nothing before it; `resetAndDestroy` sends a FIN first. */
export function reset(socket: Socket): void {
  (socket as { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}

export const replies = (...args: Parameters<typeof response>): Behaviour =>
  says(response(...args));

export const decisionBody = (result: unknown): string => JSON.stringify({ result });

/** The worst that a broken peer can say. */
export const ALLOW = decisionBody({ result: 'ALLOW' });
const DENY = decisionBody({ result: 'DENY' });

/** The own answer of a stub that decides: the contrary of what the failure mode would give. */
export const contrary = (request: string): string =>
  isFailClosed(request) ? ALLOW : DENY;

/** What must not be taken for it. */
export const reversed = (request: string): string =>
  isFailClosed(request) ? DENY : ALLOW;

/** The permissions of the matrix name the failure mode they are asked under. */
const isFailClosed = (request: string): boolean => request.includes('.closed.');

export const decidesContrary: Behaviour = (socket, request) =>
  socket.write(response(contrary(request)));

/** Sends it again and again, as fast as the other side takes it and as long as it is there. */
export function pour(socket: Socket, piece: Buffer): void {
  while (socket.writable && socket.write(piece));
  if (socket.writable) socket.once('drain', () => pour(socket, piece));
}

/** One piece after the other, with a pause before each, in milliseconds. */
export function trickle(
  socket: Socket,
  pieces: Iterable<Buffer | string>,
  pause: number,
): void {
  const left = pieces[Symbol.iterator]();
  const timer = setInterval(() => {
    const next = left.next();
    if (next.done || !socket.writable) clearInterval(timer);
    else socket.write(next.value);
  }, pause);
  socket.once('close', () => clearInterval(timer));
}
