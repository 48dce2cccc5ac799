/** The time by which a decision must be made, on the monotonic clock. */
export class Deadline {
  private readonly at: number;

  /** @param began - on the monotonic clock; default: now. */
  constructor(milliseconds: number, began = performance.now()) {
    this.at = began + milliseconds;
  }

  /** Milliseconds left; 0 once it has passed. */
  remaining(): number {
    return Math.max(0, this.at - performance.now());
  }
}

/**
 * Settles like `promise` if that settles within `milliseconds`, else like what `late()` returns.
 *
 * After this process was stalled, timers run before sockets are read. So that an answer that has
 * already arrived still counts, `late()` is called two turns of the event loop after the timeout.
 *
 * Every question passes here: `Promise.race` would make four promises more.
 */
export function settleWithin<T>(
  promise: Promise<T>,
  milliseconds: number,
  late: () => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const end = (): void => {
      if (settled) return;
      try {
        resolve(late());
      } catch (error) {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
        reject(error);
      }
    };
    const timer = setTimeout(() => setImmediate(() => setImmediate(end)), milliseconds);
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
    };
    promise.then(
      value => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
        reject(error);
      },
    );
  });
}
