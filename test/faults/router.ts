/** What the router itself does not put to OPA, or not any more. */
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

/** Nobody is asked in vain for long: a second failed question opens the breaker. */
async function startNervousPeer(): Promise<StubPeer> {
  const stub = await startStubPeer(silence, {}, () => ({
    circuitBreaker: { volumeThreshold: 2, resetTimeout: '10m' },
  }));
  await stub.stop();
  return { ...stub, stop: async () => {} };
}

interface BusyPeer extends StubPeer {
  /** Lets the one question of each mode that there is room for be under way. */
  occupy(ask: Ask): Promise<void>;
  /** Answers those. */
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
    scene(startNervousPeer, [
      {
        name: 'fails as often as the circuit breaker bears',
        outcome: outage('ECONNREFUSED'),
      },
      { name: 'has made the circuit breaker open', outcome: outage('BREAKER_OPEN') },
    ]),
    scene(startBusyPeer, [
      {
        name: 'has all the questions that `concurrency` and `queue` let it have',
        before: (peer, ask) => peer.occupy(ask),
        after: peer => peer.release(),
        outcome: overload('QUEUE_FULL'),
      },
    ]),
    scene(
      () => startStubPeer(replies(ALLOW)),
      [
        {
          name: 'could only say something about nobody: there is no user',
          asker: 'nobody',
          after: peer => expect(peer.connections()).toBe(0),
          outcome: denied,
        },
      ],
    ),
  ],
};
