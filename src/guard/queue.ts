import pLimit, { type LimitFunction } from 'p-limit';
import { failed, type Failed } from '../answer';

export interface QueueOptions {
  /** Questions under way at once. */
  readonly concurrency: number;
  /** Questions that may wait for a slot. */
  readonly queue: number;
}

/**
 * p-limit with a bounded queue. p-limit 7 runs a queued call in the async context of its own
 * caller, so one user's AsyncLocalStorage never reaches another's call.
 */
export class Queue {
  private readonly limit: LimitFunction;
  private readonly places: number;

  constructor({ concurrency, queue }: QueueOptions) {
    this.limit = pLimit(concurrency);
    this.places = queue;
  }

  /** Calls that have started and not ended. */
  get inFlight(): number {
    return this.limit.activeCount;
  }

  /** Calls that wait for a slot. */
  get queued(): number {
    return this.limit.pendingCount;
  }

  /** True if a further call would have to wait. */
  get busy(): boolean {
    return this.limit.activeCount >= this.limit.concurrency;
  }

  /** True if a further call would find neither a slot nor a place in the queue. */
  get full(): boolean {
    return this.busy && this.limit.pendingCount >= this.places;
  }

  /** Calls `start` as soon as there is a slot, and holds it until the returned promise settles. */
  run(start: () => Promise<void>): void {
    void this.limit(start);
  }
}

export const queueFull = (): Failed =>
  failed('overloaded', 'QUEUE_FULL', 'too many questions wait for this source');
