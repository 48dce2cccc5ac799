/** Questions that the router does not send to OPA. */
import { silence, type Behaviour } from '../support/stub-server';
import {
  MODES,
  outage,
  overload,
  scene,
  type Ask,
  type Chapter,
  type Outcome,
} from './fault';
import {
  decidesContrary,
  replies,
  ALLOW,
  startStubPeer,
  type StubPeer,
} from './stub-peer';

/** A stopped peer whose breaker opens after the second failed question. */
async function startTrippingPeer(): Promise<StubPeer> {
  const stub = await startStubPeer(silence, {}, () => ({
    circuitBreaker: { volumeThreshold: 2, resetTimeout: '10m' },
  }));
  await stub.stop();
  return { ...stub, stop: async () => {} };
}

interface BusyPeer extends StubPeer {
  /** Starts a question of each mode, which takes the only slot. */
  occupy(ask: Ask): Promise<void>;
  /** Answers these questions. */
  release(): Promise<void>;
}

async function startBusyPeer(): Promise<BusyPeer> {
  const held: Array<() => void> = [];
  const hold: Behaviour = (socket, request) =>
    held.push(() => decidesContrary(socket, request));
  const stub = await startStubPeer(hold, {}, () => ({ concurrency: 1, queue: 0 }));
  let underWay: Promise<unknown>;
  return {
    ...stub,
    occupy: async ask => {
      underWay = Promise.all(MODES.map(ask));
      await stub.untilRequests(MODES.length);
    },
    release: async () => {
      for (const answer of held) answer();
      await underWay;
    },
  };
}

const denied: Outcome = { closed: 'DENY', open: 'DENY' };

export const router: Chapter = {
  title: 'is not asked',
  scenes: [
    scene(startTrippingPeer, [
      {
        name: 'fails as often as the circuit breaker tolerates',
        outcome: outage('ECONNREFUSED'),
      },
      { name: 'has an open circuit breaker', outcome: outage('BREAKER_OPEN') },
    ]),
    scene(startBusyPeer, [
      {
        name: 'already has as many questions as `concurrency` and `queue` allow',
        before: (peer, ask) => peer.occupy(ask),
        after: peer => peer.release(),
        outcome: overload('QUEUE_FULL'),
      },
    ]),
    scene(
      () => startStubPeer(replies(ALLOW)),
      [
        {
          name: 'is skipped because the request has no user',
          asker: 'nobody',
          after: peer => expect(peer.connections()).toBe(0),
          outcome: denied,
        },
      ],
    ),
  ],
};
