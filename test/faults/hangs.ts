/** Peers that can be reached but keep the router waiting. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { silence, type Behaviour } from '../support/stub-server';
import { decides, outage, scene, type Chapter } from './fault';
import { TIMEOUT } from './settings';
import {
  ALLOW,
  decidesContrary,
  connectionsClose,
  response,
  says,
  startStubPeer,
  stubScene,
  trickle,
  type StubPeer,
} from './stub-peer';

/** Shorter than the timeout: receiving a byte must not extend the time for the next one. */
const PAUSE = TIMEOUT / 5;

const HEAD = 'HTTP/1.1 200 OK\r\n';

interface LatePeer extends StubPeer {
  /** Makes it answer in time. */
  recover(): void;
  /** Makes it answer each question after sending the late answers to earlier ones. */
  recoverBehindLateAnswers(): void;
  /** Waits until the late answers have been written. */
  readonly lateAnswers: () => Promise<unknown>;
}

/** Each question is first answered with ALLOW, but too late. */
async function startLatePeer(
  wait: (socket: Socket) => Promise<unknown>,
): Promise<LatePeer> {
  const late: Array<Promise<unknown>> = [];
  const unanswered: Socket[] = [];
  const answerLate: Behaviour = socket => {
    unanswered.push(socket);
    late.push(wait(socket).then(() => socket.write(response(ALLOW))));
  };
  const stub = await startStubPeer(answerLate);
  return {
    ...stub,
    recover: () => stub.become(decidesContrary),
    recoverBehindLateAnswers: () =>
      stub.become((socket, request) => {
        for (const each of unanswered) each.write(response(ALLOW));
        decidesContrary(socket, request);
      }),
    lateAnswers: () => Promise.all(late),
  };
}

/** The earliest sign a peer gets that the router has stopped waiting. */
const givenUp = (socket: Socket): Promise<unknown> =>
  new Promise(resolve => socket.once('close', resolve));

const afterTimeouts = (count: number) => (): Promise<unknown> => delay(count * TIMEOUT);

export const hangs: Chapter = {
  title: 'is slow',
  scenes: [
    stubScene('never answers', silence, outage('TIMEOUT'), { after: connectionsClose }),
    stubScene('accepts the connection and never reads', silence, outage('TIMEOUT'), {
      connected: socket => socket.pause(),
      after: peer => expect(peer.requests()).toBe(0),
    }),
    stubScene(
      'sends headers and then nothing',
      says(`${HEAD}content-length: 500\r\n\r\n`),
      outage('TIMEOUT'),
    ),
    stubScene(
      'sends an ALLOW, announces a longer body and then sends nothing',
      says(`${HEAD}content-length: 500\r\n\r\n${ALLOW}`),
      outage('TIMEOUT'),
    ),
    stubScene(
      'sends an ALLOW in a chunk but never the last chunk',
      says(
        `${HEAD}transfer-encoding: chunked\r\n\r\n${ALLOW.length.toString(16)}\r\n${ALLOW}\r\n`,
      ),
      outage('TIMEOUT'),
    ),
    stubScene(
      'trickles the headers, a byte every fifth of the timeout',
      socket => trickle(socket, response(ALLOW).toString(), PAUSE),
      outage('TIMEOUT'),
    ),
    stubScene(
      'trickles the body, a byte every fifth of the timeout',
      socket => {
        socket.write(`${HEAD}content-length: ${ALLOW.length}\r\n\r\n`);
        trickle(socket, ALLOW, PAUSE);
      },
      outage('TIMEOUT'),
    ),
    stubScene(
      'trickles interim responses (102) forever',
      socket =>
        trickle(socket, Array(50).fill('HTTP/1.1 102 Processing\r\n\r\n'), PAUSE),
      outage('TIMEOUT'),
    ),
    scene(
      () => startLatePeer(givenUp),
      [
        { name: 'answers ALLOW just past the timeout', outcome: outage('TIMEOUT') },
        {
          name: 'answers in time after that',
          before: peer => {
            peer.recover();
            return peer.lateAnswers();
          },
          outcome: decides,
        },
      ],
    ),
    scene(
      () => startLatePeer(afterTimeouts(3)),
      [
        {
          name: 'answers ALLOW after three times the timeout',
          outcome: outage('TIMEOUT'),
        },
        {
          name: 'answers in time while those late answers are pending',
          before: peer => peer.recover(),
          outcome: decides,
        },
        {
          name: 'answers in time after they arrived',
          before: peer => peer.lateAnswers(),
          outcome: decides,
        },
        {
          name: 'sends late answers while the next question is in flight',
          before: peer => peer.recoverBehindLateAnswers(),
          outcome: decides,
        },
      ],
    ),
  ],
};
