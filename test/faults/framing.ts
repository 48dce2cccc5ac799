/** HTTP that contradicts itself, and answers that nobody asked for. */
import type { Socket } from 'node:net';
import { decides, invalid, scene, type Chapter, type Peer, type Scene } from './fault';
import {
  ALLOW,
  contrary,
  response,
  reversed,
  says,
  startStubPeer,
  stubScene,
} from './stub-peer';

/** An ALLOW under these headers. */
const under = (...headers: string[]): string =>
  ['HTTP/1.1 200 OK', ...headers, '', ALLOW].join('\r\n');

const LENGTH = `content-length: ${ALLOW.length}`;

const chunked = (text: string): string =>
  `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

const broken = (
  name: string,
  bytes: string | Buffer,
  code = 'HTTPParserError',
): Scene => stubScene(name, says(bytes), invalid(code));

/**
 * Decides each question, and on `strays` sends what nobody asked for: over every connection
 * the reverse of what it said there.
 */
async function startStrayPeer(): Promise<Peer & { strays(): Promise<void> }> {
  const asked = new Map<Socket, string>();
  const stub = await startStubPeer((socket, request) => {
    asked.set(socket, request);
    socket.write(response(contrary(request)));
  });
  return {
    ...stub,
    strays: async () => {
      for (const [socket, request] of asked) socket.write(response(reversed(request)));
      await stub.untilOpen(0);
    },
  };
}

export const framing: Chapter = {
  title: 'speaks HTTP wrongly',
  scenes: [
    broken('answers no HTTP', 'hello\r\n\r\n'),
    broken('answers HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    broken(
      'says ALLOW under two lengths',
      under(LENGTH, 'content-length: 5'),
      'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    ),
    broken('says ALLOW under a length that is no number', under('content-length: x')),
    broken('says ALLOW under a negative length', under('content-length: -1')),
    broken(
      'says ALLOW under a length and as chunks',
      `HTTP/1.1 200 OK\r\n${LENGTH}\r\ntransfer-encoding: chunked\r\n\r\n${chunked(ALLOW)}`,
      'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    ),
    broken(
      'says ALLOW in a chunk of a size that is no number',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n${ALLOW}\r\n0\r\n\r\n`,
    ),
    broken(
      'says ALLOW, longer than its length',
      under(`content-length: ${ALLOW.length - 1}`),
      'BAD_JSON',
    ),
    broken(
      'says ALLOW under a header of 1 MiB',
      under(`x: ${'x'.repeat(1_048_576)}`, LENGTH),
      'UND_ERR_HEADERS_OVERFLOW',
    ),
    broken(
      'says ALLOW under 10,000 headers',
      under(...Array.from({ length: 10_000 }, (_, i) => `x-${i}: x`), LENGTH),
      'UND_ERR_HEADERS_OVERFLOW',
    ),
    broken('says ALLOW under a header with a NUL', under('x: \0', LENGTH)),
    stubScene(
      'decides without a length, and closes',
      (socket, request) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${contrary(request)}`),
      decides,
    ),
    stubScene(
      'decides in chunks',
      (socket, request) =>
        socket.write(
          `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunked(contrary(request))}`,
        ),
      decides,
    ),
    stubScene(
      'decides, with the reverse right behind it',
      (socket, request) =>
        socket.write(
          Buffer.concat([response(contrary(request)), response(reversed(request))]),
        ),
      decides,
    ),
    stubScene(
      'decides, with the reverse behind the end of its length',
      (socket, request) =>
        socket.write(
          Buffer.concat([response(contrary(request)), Buffer.from(reversed(request))]),
        ),
      decides,
    ),
    scene(startStrayPeer, [
      { name: 'decides, and later sends the reverse unasked', outcome: decides },
      {
        name: 'is asked again after that',
        before: peer => peer.strays(),
        outcome: decides,
      },
    ]),
  ],
};
