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

  /**
   * @param what - for the message, such as `explanations`.
   * @param atOnce - how many run at once.
   */
  constructor(
    private readonly what: string,
    atOnce: number,
  ) {
    this.limit = pLimit(atOnce);
  }

  /** @throws TooManyRequestsError if too many wait already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount >= MAX_WAITING) {
      throw new TooManyRequestsError(
        `too many ${this.what} are asked for at once; try again in a few seconds`,
      );
    }
    return this.limit(work);
  }
}
