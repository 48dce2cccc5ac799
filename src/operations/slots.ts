import pLimit from 'p-limit';

/** Calls that run at once. */
const AT_ONCE = 2;
/** Calls that may wait. */
const MAX_WAITING = 16;

/** HTTP 429. */
export class TooManyRequestsError extends Error {
  override readonly name = 'TooManyRequestsError';
  readonly statusCode = 429;
}

/** So that what people look at never takes much of the time that decisions need. */
export class Slots {
  private readonly limit = pLimit(AT_ONCE);

  /** @param what - for the message, such as `explanations`. */
  constructor(private readonly what: string) {}

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
