import { setTimeout as delay } from 'node:timers/promises';

/** Less than a test has, more than a busy machine needs; in milliseconds. */
const LIMIT = 90_000;
const PAUSE = 20;

/**
 * Asks again until it is so. For what nothing tells of; where an event does, wait for that.
 *
 * @param what - goes on from "waited in vain until".
 * @throws Error if it does not become so.
 */
export async function until(isSo: () => unknown, what: string): Promise<void> {
  const end = process.hrtime.bigint() + BigInt(LIMIT) * 1_000_000n;
  while (!(await isSo())) {
    if (process.hrtime.bigint() > end) throw new Error(`waited in vain until ${what}`);
    await delay(PAUSE);
  }
}
