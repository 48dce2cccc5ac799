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

/** @param source - further config of the sources that ask the stub. */
export async function startStubPeer(
  does: Behaviour,
  options: StubOptions = {},
  source: (url: string) => object = () => ({}),
): Promise<StubPeer> {
  const stub = await startStub(does, options);
  return { ...stub, source: { baseUrl: stub.url, ...source(stub.url) } };
}

/** A scene with a stub that treats every question alike. */
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

/** Waits until the router has closed its connections, so that they do not pile up. */
export const connectionsClose = (peer: StubPeer): Promise<void> => peer.untilOpen(0);

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

/** Sends it and closes the connection with a FIN. */
export const saysAndCloses =
  (bytes: Bytes): Behaviour =>
  socket =>
    socket.end(bytes);

export const saysAndResets =
  (bytes: Bytes): Behaviour =>
  socket =>
    socket.write(bytes, () => reset(socket));

/** Sends only a RST; `resetAndDestroy` sends a FIN first. */
export function reset(socket: Socket): void {
  (socket as { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}

export const replies = (...args: Parameters<typeof response>): Behaviour =>
  says(response(...args));

export const decisionBody = (result: unknown): string => JSON.stringify({ result });

/** The worst answer that a broken peer can give. */
export const ALLOW = decisionBody({ result: 'ALLOW' });
const DENY = decisionBody({ result: 'DENY' });

/** The answer of a stub that decides: the opposite of what the failure mode would give. */
export const contrary = (request: string): string =>
  isFailClosed(request) ? ALLOW : DENY;

/** An answer that must not be mistaken for the one above. */
export const reversed = (request: string): string =>
  isFailClosed(request) ? DENY : ALLOW;

/** The permissions of the matrix name the failure mode they are asked under. */
const isFailClosed = (request: string): boolean => request.includes('.closed.');

export const decidesContrary: Behaviour = (socket, request) =>
  socket.write(response(contrary(request)));

/** Sends it repeatedly, as fast as the other side reads, until the connection ends. */
export function pour(socket: Socket, piece: Buffer): void {
  while (socket.writable && socket.write(piece));
  if (socket.writable) socket.once('drain', () => pour(socket, piece));
}

/** Sends the pieces one by one, with a pause in milliseconds before each. */
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
