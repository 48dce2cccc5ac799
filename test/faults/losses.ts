/** Connections that end by FIN or RST at every stage of an exchange. */
import type { Socket } from 'node:net';
import { silence, type Behaviour } from '../support/stub-server';
import {
  decides,
  invalid,
  outage,
  scene,
  type Chapter,
  type Peer,
  type Scene,
} from './fault';
import {
  ALLOW,
  contrary,
  decidesContrary,
  reset,
  response,
  saysAndCloses,
  saysAndResets,
  startStubPeer,
  stubScene,
} from './stub-peer';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

/** What was sent of the answer when the connection ends; completed, it would be an ALLOW. */
const STAGES: ReadonlyArray<readonly [string, string]> = [
  ['before it answers', ''],
  ['in the status line', 'HTTP/1.1 20'],
  ['in the headers', 'HTTP/1.1 200 OK\r\ncontent-ty'],
  ['after the headers', `${HEAD}content-length: ${ALLOW.length}\r\n\r\n`],
  [
    'in the middle of the body',
    `${HEAD}content-length: ${ALLOW.length}\r\n\r\n${ALLOW.slice(0, 20)}`,
  ],
  [
    'after an ALLOW, although it announced a longer body',
    `${HEAD}content-length: 500\r\n\r\n${ALLOW}`,
  ],
  [
    'in the middle of a chunk',
    `${HEAD}transfer-encoding: chunked\r\n\r\n${ALLOW.length.toString(16)}\r\n${ALLOW.slice(0, 20)}`,
  ],
  [
    'after an ALLOW in a chunk, without the last chunk',
    `${HEAD}transfer-encoding: chunked\r\n\r\n${ALLOW.length.toString(16)}\r\n${ALLOW}\r\n`,
  ],
];

const endings: readonly Scene[] = STAGES.flatMap(([stage, bytes]) => [
  stubScene(`closes ${stage}`, saysAndCloses(bytes), outage('UND_ERR_SOCKET')),
  // Node.js reports a reset that arrives together with data as the end of the connection.
  stubScene(
    `resets ${stage}`,
    saysAndResets(bytes),
    outage('ECONNRESET', 'UND_ERR_SOCKET'),
  ),
]);

/** Ends the connections while no question is in flight. */
async function startIdlePeer(
  end: (socket: Socket) => unknown,
): Promise<Peer & { readonly endAll: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const stub = await startStubPeer(decidesContrary, {
    connected: socket => sockets.add(socket),
  });
  return {
    ...stub,
    endAll: async () => {
      for (const socket of sockets) end(socket);
      await stub.untilOpen(0);
    },
  };
}

const idle = (verb: string, end: (socket: Socket) => unknown): Scene =>
  scene(
    () => startIdlePeer(end),
    [
      { name: `decides and then ${verb} its connections`, outcome: decides },
      {
        name: `is asked again after that`,
        before: peer => peer.endAll(),
        outcome: decides,
      },
    ],
  );

const decidesAndCloses: Behaviour = (socket, request) =>
  socket.end(response(contrary(request)));

const untilClose = (bytes: string): Buffer =>
  Buffer.from(`${HEAD}connection: close\r\n\r\n${bytes}`);

export const losses: Chapter = {
  title: 'ends the connection',
  scenes: [
    stubScene(
      'closes the connection on accepting it',
      silence,
      outage('UND_ERR_SOCKET'),
      {
        connected: socket => socket.end(),
      },
    ),
    stubScene(
      'resets the connection on accepting it',
      silence,
      outage('ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'),
      { connected: reset },
    ),
    ...endings,
    stubScene(
      'closes in the middle of a body that ends with the connection',
      saysAndCloses(untilClose(ALLOW.slice(0, 20))),
      invalid('BAD_JSON'),
    ),
    stubScene(
      'resets in the middle of a body that ends with the connection',
      saysAndResets(untilClose(ALLOW.slice(0, 20))),
      invalid('BAD_JSON'),
    ),
    stubScene(
      'closes after a whole answer that ends with the connection',
      (socket, request) => socket.end(untilClose(contrary(request))),
      decides,
    ),
    stubScene(
      'resets after a whole answer that ends with the connection',
      (socket, request) =>
        saysAndResets(untilClose(contrary(request)))(socket, request),
      decides,
    ),
    stubScene('closes after every whole answer', decidesAndCloses, decides),
    idle('closes', socket => socket.end()),
    idle('resets', reset),
  ],
};
