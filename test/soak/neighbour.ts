import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './random';

/** Milliseconds. */
const VISIT = 1000;
const SLICE = { low: 100, high: 480 };
/** Until the next slice; the event loop has a few turns in it. */
const PAUSE = 5;
/** How long slices are remembered; longer than a decision takes. */
const MEMORY = 30_000;

/**
 * Another plugin of the same process that computes for too long: it blocks the event loop, which
 * may make a healthy OPA look slow.
 */
export class BusyNeighbour {
  private readonly slices: Array<{ readonly from: number; readonly to: number }> = [];

  constructor(private readonly random: Random) {}

  /** Blocks the event loop in slices, for a second in all. */
  async visit(): Promise<void> {
    const end = performance.now() + VISIT;
    while (performance.now() < end) {
      this.block(this.random.between(SLICE.low, SLICE.high));
      await delay(PAUSE);
    }
  }

  /** Milliseconds between the two moments for which it blocked. */
  blockedBetween(from: number, to: number): number {
    return this.slices.reduce(
      (sum, slice) =>
        sum + Math.max(0, Math.min(slice.to, to) - Math.max(slice.from, from)),
      0,
    );
  }

  private block(milliseconds: number): void {
    const from = performance.now();
    let to = from;
    while (to < from + milliseconds) to = performance.now();
    this.slices.push({ from, to });
    while (this.slices[0]!.to < to - MEMORY) this.slices.shift();
  }
}
