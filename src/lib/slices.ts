/** Milliseconds of work before others get their turn. */
const SLICE = 10;

/**
 * Long work in slices: after 10 ms of it, everything else that the process has to do gets its
 * turn. One instance goes through all the parts of one piece of work, so that many short parts
 * count together.
 */
export class Slices {
  private began = performance.now();

  /** Whether others should get their turn now. Costs so little that it can be asked per item. */
  isOver(): boolean {
    return performance.now() - this.began >= SLICE;
  }

  /** Resolves after others had their turn. */
  async next(): Promise<void> {
    await new Promise(setImmediate);
    this.began = performance.now();
  }

  /** Does the work for each item, in order, and lets others run in between. */
  async each<T>(
    items: Iterable<T>,
    work: (item: T, index: number) => void | Promise<void>,
  ): Promise<void> {
    let index = 0;
    for (const item of items) {
      const pending = work(item, index++);
      if (pending) await pending;
      if (this.isOver()) await this.next();
    }
  }
}
