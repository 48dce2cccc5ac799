import { setImmediate as nextTurn } from 'node:timers/promises';
import pLimit from 'p-limit';
import { failed } from './answer';
import type { Failure } from './verdict';

/** Decisions that are made at once for the record only. */
export const RECORDED_AT_ONCE = 16;
/** Decisions that may wait for that. */
export const RECORDED_WAITING = 1000;

/**
 * Decisions that are only recorded. Nobody waits for them, so nothing slows down who asks: without a
 * limit they would fill the queues of sources that enforced decisions need. Each begins one turn of
 * the event loop later, so that what is given does not wait for its work.
 */
export class Recordings {
  private readonly limit = pLimit(RECORDED_AT_ONCE);

  /** @returns what `decide` returns, or what `refused` makes of the failure if too many wait. */
  async run<T>(decide: () => Promise<T>, refused: (failure: Failure) => T): Promise<T> {
    if (this.limit.pendingCount >= RECORDED_WAITING) return refused(tooMany());
    return this.limit(async () => {
      await nextTurn();
      return decide();
    });
  }
}

const tooMany = (): Failure =>
  failed(
    'overloaded',
    'NOT_RECORDED',
    `it was not decided: ${RECORDED_WAITING} decisions wait to be recorded`,
  ).failure;
