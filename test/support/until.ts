import { setTimeout as delay } from 'node:timers/promises';

/** Less than a test's limit, more than a busy machine needs; in milliseconds. */
const LIMIT = 90_000;
const PAUSE = 20;

/**
 * Checks repeatedly until it is true. If there is an event, wait for that instead.
 *
 * @param what - completes "gave up waiting until".
 * @throws Error if it does not become true in time.
 */
export async function until(isSo: () => unknown, what: string): Promise<void> {
  const end = process.hrtime.bigint() + BigInt(LIMIT) * 1_000_000n;
  while (!(await isSo())) {
    if (process.hrtime.bigint() > end) throw new Error(`gave up waiting until ${what}`);
    await delay(PAUSE);
  }
}
