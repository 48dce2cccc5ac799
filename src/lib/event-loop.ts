/** Milliseconds between two ticks. */
const INTERVAL = 20;

/** A tick that is less late than this, in milliseconds, is the ordinary load of a busy process. */
const LATE = 10;

/**
 * Measures how long this process could not run its callbacks: because of a long task, or because
 * it was frozen or had no CPU time. Unlike `eventLoopUtilization`, which sees no difference
 * between being frozen and being idle.
 *
 * A timer ticks while somebody watches. Where a tick comes late, all the time since the one before
 * counts: a block is measured up to one interval too long, never too short.
 */
export class EventLoop {
  private timer: NodeJS.Timeout | undefined;
  private ticked = 0;
  private sum = 0;
  private end = 0;

  /** Watches for at least so many milliseconds from now; keeps no process alive. */
  watch(milliseconds: number): void {
    const now = performance.now();
    this.end = Math.max(this.end, now + milliseconds);
    if (this.timer) return;
    this.ticked = now;
    this.timer = setInterval(() => this.tick(), INTERVAL).unref();
  }

  /**
   * Milliseconds for which the process was blocked while it was watched, up to this moment. The
   * difference of two readings is what lies between them.
   */
  get blocked(): number {
    return this.sum + (this.timer ? this.late() : 0);
  }

  private late(): number {
    const since = performance.now() - this.ticked;
    return since >= INTERVAL + LATE ? since : 0;
  }

  private tick(): void {
    this.sum += this.late();
    this.ticked = performance.now();
    if (this.ticked <= this.end) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

/** The event loop of this process. */
export const eventLoop = new EventLoop();
