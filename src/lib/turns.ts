import { AsyncResource } from 'node:async_hooks';
import Fifo from 'yocto-queue';

/** Milliseconds of our work after which the rest of the process gets a turn of the event loop. */
const SLICE = 10;

/** Pieces of work done at once before others wait: what they leave to promises is done later. */
const AT_ONCE = 16;

const RESOLVED = Promise.resolve();

type Work = () => void;

/**
 * Keeps a flood of short synchronous work from holding the event loop. Work is done at once while
 * this turn has time left for it; later work waits for a further turn, in which each group has
 * one piece done after the other, so that a large batch does not keep out a single question.
 */
export class Turns {
  /** When the work of this turn of the event loop began; undefined before the first. */
  private began: number | undefined;
  /** Pieces of work that were done at once in this turn. */
  private done = 0;
  private isWorking = false;
  private readonly waiting = new Map<object, Fifo<Work>>();
  /** The groups that wait; the first one is the next to be served. */
  private readonly order = new Fifo<object>();
  private others: Turns | undefined;

  /** Of work that nobody waits for: it has slices of its own, and is never in the way of this work. */
  get beside(): Turns {
    return (this.others ??= new Turns());
  }

  /**
   * @param group - whose work it is.
   * @param work - runs in the async context of the caller; what it calls itself is part of it.
   * @throws and rejects as `work` does.
   */
  run<T>(group: object, work: (hasWaited: boolean) => T | Promise<T>): T | Promise<T> {
    if (this.isWorking) return work(false);
    if (this.order.size === 0 && this.hasTime() && this.done < AT_ONCE) {
      this.done++;
      this.isWorking = true;
      try {
        return work(false);
      } finally {
        this.isWorking = false;
      }
    }
    return new Promise((resolve, reject) => {
      // Else it would run in the context of the first caller of its turn: another user's.
      const context = new AsyncResource('PolicyRouterTurn');
      this.enqueue(group, () => {
        try {
          const done = context.runInAsyncScope(work, undefined, true);
          if (done instanceof Promise) done.then(resolve, reject);
          else resolve(done);
        } catch (error) {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
          reject(error);
        }
      });
    });
  }

  private hasTime(): boolean {
    const now = performance.now();
    if (this.began === undefined) {
      this.began = now;
      setImmediate(() => this.endTurn());
      return true;
    }
    return now - this.began < SLICE;
  }

  private enqueue(group: object, work: Work): void {
    let works = this.waiting.get(group);
    if (!works) {
      this.waiting.set(group, (works = new Fifo<Work>()));
      this.order.enqueue(group);
    }
    works.enqueue(work);
  }

  private endTurn(): void {
    this.began = undefined;
    this.done = 0;
    this.doNext();
  }

  private doNext(): void {
    if (this.order.size === 0 || !this.hasTime()) return;
    const work = this.takeNext();
    this.isWorking = true;
    try {
      work();
    } finally {
      this.isWorking = false;
    }
    // What the work has left to promises is done first, and takes its part of the time.
    void RESOLVED.then(this.afterPromises);
  }

  /** Called by a promise, so the tick comes when there is no promise left. */
  private readonly afterPromises = (): void => {
    process.nextTick(this.doNextOnTick);
  };

  private readonly doNextOnTick = (): void => this.doNext();

  private takeNext(): Work {
    const group = this.order.dequeue()!;
    const works = this.waiting.get(group)!;
    const work = works.dequeue()!;
    if (works.size > 0) this.order.enqueue(group);
    else this.waiting.delete(group);
    return work;
  }
}
