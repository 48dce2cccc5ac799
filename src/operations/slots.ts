import pLimit, { type LimitFunction } from 'p-limit';

/** Calls that may wait. */
const MAX_WAITING = 16;

/** HTTP 429. */
export class TooManyRequestsError extends Error {
  override readonly name = 'TooManyRequestsError';
  readonly statusCode = 429;
}

/** So that what people look at never takes much of the time that decisions need. */
export class Slots {
  private readonly limit: LimitFunction;
  /** How many calls each caller has here. */
  private readonly callers = new Map<string, number>();

  /**
   * @param what - for the message, such as `explanations`.
   * @param atOnce - how many run at once.
   * @param ofOne - how many of one caller may be here, so that one does not keep out all others.
   */
  constructor(
    private readonly what: string,
    atOnce: number,
    private readonly ofOne = Infinity,
  ) {
    this.limit = pLimit(atOnce);
  }

  /**
   * @param caller - who calls.
   * @throws TooManyRequestsError if too many wait already.
   */
  async run<T>(work: () => Promise<T>, caller = ''): Promise<T> {
    const ofCaller = this.callers.get(caller) ?? 0;
    if (this.limit.pendingCount >= MAX_WAITING || ofCaller >= this.ofOne) {
      throw new TooManyRequestsError(
        `too many ${this.what} are asked for at once; try again in a few seconds`,
      );
    }
    this.callers.set(caller, ofCaller + 1);
    try {
      return await this.limit(work);
    } finally {
      const left = this.callers.get(caller)! - 1;
      if (left > 0) this.callers.set(caller, left);
      else this.callers.delete(caller);
    }
  }
}
