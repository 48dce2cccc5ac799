import { AsyncResource } from 'node:async_hooks';

/** Milliseconds of our work after which the rest of the process gets a turn of the event loop. */
const SLICE = 10;

type Work = () => void;

/**
 * Keeps a flood of short synchronous work from holding the event loop. Work is done at once while
 * this turn has time left for it; later work waits for a further turn, in which each group has
 * one piece done after the other, so that a large batch does not keep out a single question.
 */
export class Turns {
  /** When the work of this turn of the event loop began; undefined before the first. */
  private began: number | undefined;
  /** By group; the first one is the next to be served. */
  private readonly waiting = new Map<object, Work[]>();

  /**
   * @param group - whose work it is.
   * @param work - runs in the async context of the caller.
   * @throws and rejects as `work` does.
   */
  run<T>(group: object, work: (hasWaited: boolean) => T | Promise<T>): T | Promise<T> {
    if (this.hasTime()) return work(false);
    return new Promise((resolve, reject) => {
      const inTurn = (): void => {
        try {
          resolve(work(true));
        } catch (error) {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
          reject(error);
        }
      };
      // Else it would run in the context of the first caller of this turn: another user's.
      this.enqueue(group, AsyncResource.bind(inTurn));
    });
  }

  private hasTime(): boolean {
    const now = performance.now();
    if (this.began === undefined) {
      this.began = now;
      setImmediate(this.nextTurn);
      return true;
    }
    return now - this.began < SLICE;
  }

  private enqueue(group: object, work: Work): void {
    const queue = this.waiting.get(group);
    if (queue) queue.push(work);
    else this.waiting.set(group, [work]);
  }

  private readonly nextTurn = (): void => {
    this.began = undefined;
    while (this.waiting.size > 0 && this.hasTime()) this.doOne();
  };

  private doOne(): void {
    const [[group, queue]] = this.waiting as unknown as [[object, Work[]]];
    this.waiting.delete(group);
    const work = queue.shift();
    if (queue.length > 0) this.waiting.set(group, queue);
    work?.();
  }
}
