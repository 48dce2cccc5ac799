import pLimit, { type LimitFunction } from 'p-limit';

export interface LimiterOptions {
  /** Questions under way at once. */
  readonly concurrency: number;
  /** Questions waiting behind them. */
  readonly queue: number;
}

/**
 * p-limit with a bounded queue. p-limit 7 runs a queued call in the async context of its own
 * caller, so one user's AsyncLocalStorage never reaches another's call.
 */
export class Limiter {
  private readonly limit: LimitFunction;
  private readonly queue: number;

  constructor(options: LimiterOptions) {
    this.limit = pLimit(options.concurrency);
    this.queue = options.queue;
  }

  /** True when a further call would have to wait. */
  get busy(): boolean {
    return this.limit.activeCount >= this.limit.concurrency;
  }

  /** True when a further call would find neither a slot nor a place in the queue. */
  get full(): boolean {
    return this.busy && this.limit.pendingCount >= this.queue;
  }

  /** Calls `start` as soon as there is a slot, which is held until what it returns has settled. */
  run(start: () => Promise<void>): void {
    void this.limit(start);
  }
}
