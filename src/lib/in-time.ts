/** Of a time limit; see `inTime`. */
const TICKS = 10;

/**
 * What the task resolves to, or an error if that takes too long. The time is counted in ticks of
 * the event loop's own: while something else holds the loop no time passes, so that what has ended
 * meanwhile is not late.
 *
 * @param milliseconds - about; the task goes on all the same.
 * @param late - the error; called when the time is over.
 */
export async function inTime<T>(
  task: Promise<T>,
  milliseconds: number,
  late: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    let ticks = 0;
    const tick = (): void => {
      if (++ticks === TICKS) reject(late());
    };
    timer = setInterval(tick, milliseconds / TICKS).unref();
  });
  try {
    return await Promise.race([task, limit]);
  } finally {
    clearInterval(timer);
  }
}
