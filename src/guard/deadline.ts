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

/** Settles as `promise` does, but no later than in `milliseconds`, then with `late()`. */
export async function settleWithin<T>(
  promise: Promise<T>,
  milliseconds: number,
  late: () => T,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
