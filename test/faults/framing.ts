/** HTTP that contradicts itself, and unsolicited answers. */
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

/** An ALLOW with these headers. */
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
 * Decides each question, and on `strays` sends unsolicited answers: over every connection the
 * opposite of what it answered there.
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
  title: 'speaks incorrect HTTP',
  scenes: [
    broken('answers with something that is not HTTP', 'hello\r\n\r\n'),
    broken('answers HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    broken(
      'sends ALLOW with two content lengths',
      under(LENGTH, 'content-length: 5'),
      'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    ),
    broken(
      'sends ALLOW with a content length that is not a number',
      under('content-length: x'),
    ),
    broken('sends ALLOW with a negative content length', under('content-length: -1')),
    broken(
      'sends ALLOW with a content length and in chunks',
      `HTTP/1.1 200 OK\r\n${LENGTH}\r\ntransfer-encoding: chunked\r\n\r\n${chunked(ALLOW)}`,
      'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    ),
    broken(
      'sends ALLOW in a chunk whose size is not a number',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n${ALLOW}\r\n0\r\n\r\n`,
    ),
    broken(
      'sends an ALLOW that is longer than its content length',
      under(`content-length: ${ALLOW.length - 1}`),
      'BAD_JSON',
    ),
    broken(
      'sends ALLOW with a header of 1 MiB',
      under(`x: ${'x'.repeat(1_048_576)}`, LENGTH),
      'UND_ERR_HEADERS_OVERFLOW',
    ),
    broken(
      'sends ALLOW with 10,000 headers',
      under(...Array.from({ length: 10_000 }, (_, i) => `x-${i}: x`), LENGTH),
      'UND_ERR_HEADERS_OVERFLOW',
    ),
    broken('sends ALLOW with a NUL in a header', under('x: \0', LENGTH)),
    stubScene(
      'decides without a content length and closes',
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
      'decides and sends the opposite answer right after',
      (socket, request) =>
        socket.write(
          Buffer.concat([response(contrary(request)), response(reversed(request))]),
        ),
      decides,
    ),
    stubScene(
      'decides and sends the opposite after the end of the body',
      (socket, request) =>
        socket.write(
          Buffer.concat([response(contrary(request)), Buffer.from(reversed(request))]),
        ),
      decides,
    ),
    scene(startStrayPeer, [
      { name: 'decides and later sends the opposite unasked', outcome: decides },
      {
        name: 'is asked again after that',
        before: peer => peer.strays(),
        outcome: decides,
      },
    ]),
  ],
};
