import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What this process holds while no question is asked. */
export interface Resources {
  readonly heapMegabytes: number;
  /** Counts both ends if both are in this process. */
  readonly sockets: number;
  readonly timers: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** How often, and how many milliseconds apart, closing sockets are counted again. */
const TRIES = 600;
const PAUSE = 50;

/**
 * Waits for the number of sockets to stop falling, then measures.
 *
 * @param atRest - while there are more sockets, a busy machine may still have to close some.
 */
export async function measure(atRest: number): Promise<Resources> {
  let sockets = count('TCPSocketWrap');
  for (let calm = 0, tries = 0; tries < TRIES; tries++) {
    if (calm >= 5 && sockets <= atRest) break;
    await delay(PAUSE);
    const now = count('TCPSocketWrap');
    calm = now < sockets ? 0 : calm + 1;
    sockets = Math.min(sockets, now);
  }
  collectGarbage();
  await delay(PAUSE);
  collectGarbage();
  return {
    heapMegabytes: process.memoryUsage().heapUsed / 2 ** 20,
    sockets,
    timers: count('Timeout'),
  };
}

const count = (kind: string): number =>
  process.getActiveResourcesInfo().filter(each => each === kind).length;
