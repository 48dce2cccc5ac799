/** A point in time that a decision must not pass; on the monotonic clock. */
export class Deadline {
  private readonly at: number;

  constructor(milliseconds: number) {
    this.at = performance.now() + milliseconds;
  }

  /** Milliseconds left; 0 when it has passed. */
  remaining(): number {
    return Math.max(0, this.at - performance.now());
  }
}

/**
 * Settles as `promise` does, but no later than in `milliseconds`, then with `late()`.
 *
 * After a stall of this process timers run before sockets are read. So two turns of the event
 * loop pass between the end of the time and `late()`: an answer that has arrived counts.
 */
export async function settleWithin<T>(
  promise: Promise<T>,
  milliseconds: number,
  late: () => T,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let settled = false;
  const timeout = new Promise<T>(resolve => {
    const end = (): void => {
      if (!settled) resolve(late());
    };
    timer = setTimeout(() => setImmediate(() => setImmediate(end)), milliseconds);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    settled = true;
    clearTimeout(timer);
  }
}
