/** Of the questions in one request. */
const MOST = 100;
/** A batch of fewer questions saves nothing. */
const LEAST = 2;
/** Milliseconds for which questions go one by one, once the source could not answer a batch. */
const PAUSE = 10_000;

/**
 * How many questions may go out as one request. A request that fails or is late costs its
 * questions time, so the next ones are half as large; one that is answered with time to spare
 * makes them twice as large.
 */
export class BatchSize {
  private size = MOST;
  private pausedUntil = -Infinity;

  /** 1 while questions go one by one. */
  get most(): number {
    return performance.now() < this.pausedUntil ? 1 : this.size;
  }

  /** @param share - of the time after which the request would have been late; 0–1. */
  answered(questions: number, share: number): void {
    if (questions >= this.size && share <= 1 / 2)
      this.size = Math.min(MOST, 2 * questions);
  }

  failed(questions: number): void {
    // Not even the smallest batch is answered in time: then batches only cost time.
    if (this.size === LEAST) this.unusable();
    this.size = Math.min(this.size, Math.max(LEAST, Math.floor(questions / 2)));
  }

  /** Questions go one by one for a while; then a batch tries it again. */
  unusable(): void {
    this.pausedUntil = performance.now() + PAUSE;
  }
}
