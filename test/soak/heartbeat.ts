import { readFileSync } from 'node:fs';

/** Milliseconds. */
const INTERVAL = 25;
/** If a turn of the event loop takes longer than this, no timing is certain. */
const STALL = 150;
/** How long stalls are kept; longer than a decision takes. */
const MEMORY = 30_000;

interface Beat {
  readonly at: number;
  /** How much too late it was. */
  readonly stall: number;
  /** How much of that was not of the router's making. */
  readonly excused: number;
}

export interface HeartbeatOptions {
  readonly onStall: () => void;
  /** For how long of this time the soak itself has blocked the event loop, on purpose. */
  readonly blockedBetween: (from: number, to: number) => number;
}

/**
 * Measures stalls of this process. Some have a known cause that is not the router: the busy
 * neighbour, and other processes that had the CPU. The rest counts against the router.
 */
export class Heartbeat {
  /** The longest stall, in milliseconds. */
  longest = 0;
  /** The longest stall without what has another cause than this process itself. */
  longestOfOurs = 0;
  private last = performance.now();
  private waited = waitedForCpu();
  /** Those that a decision in flight may have met. */
  private readonly beats: Beat[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: HeartbeatOptions) {
    this.timer = setInterval(() => this.beat(), INTERVAL);
  }

  /** How long this process was stalled since then, in milliseconds. */
  stalledSince(from: number): number {
    const isUnderWay = Math.max(0, performance.now() - this.last - INTERVAL);
    return this.sumSince(from, ({ stall }) => stall) + isUnderWay;
  }

  /** The part of these stalls that the router cannot help. */
  excusedSince(from: number): number {
    const isUnderWay = this.excuse(performance.now()).excused;
    return this.sumSince(from, ({ excused }) => excused) + isUnderWay;
  }

  /** Ignores the time just past, for example a garbage collection of ours. */
  forget(): void {
    this.last = performance.now();
    this.waited = waitedForCpu();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private beat(): void {
    const now = performance.now();
    const { stall, excused } = this.excuse(now);
    this.last = now;
    this.waited = waitedForCpu();
    this.longest = Math.max(this.longest, stall);
    this.longestOfOurs = Math.max(this.longestOfOurs, stall - excused);
    this.beats.push({ at: now, stall, excused });
    while (this.beats[0]!.at < now - MEMORY) this.beats.shift();
    if (stall > STALL) this.options.onStall();
  }

  /** What is late at this moment, and why. */
  private excuse(now: number): { stall: number; excused: number } {
    const stall = Math.max(0, now - this.last - INTERVAL);
    if (stall === 0) return { stall, excused: 0 };
    const waited = waitedForCpu();
    const byOthers =
      waited === undefined || this.waited === undefined ? stall : waited - this.waited;
    const byNeighbour = this.options.blockedBetween(this.last, now);
    return { stall, excused: Math.min(stall, byOthers + byNeighbour) };
  }

  private sumSince(from: number, part: (beat: Beat) => number): number {
    return this.beats
      .filter(({ at }) => at >= from)
      .reduce((sum, beat) => sum + part(beat), 0);
  }
}

/**
 * Milliseconds for which the main thread could have run but other processes had the CPU; known
 * only on Linux.
 */
function waitedForCpu(): number | undefined {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
    return Number(text.split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}
