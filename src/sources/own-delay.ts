import { failed, type Failed } from '../answer';
import { eventLoop } from '../lib/event-loop';
import { threadWait } from '../lib/lookup';

/**
 * Up to this share of its time a source gets back what it lost because of us. If it lost more, it
 * may have been in time without us, but nobody should wait longer.
 */
export const MOST_LOST = 1 / 4;

/** Above this share of busy time the process cannot tell whether the source was in time. */
const SATURATED = 0.9;

/** The process is watched for longer than the timeout, because a failure may be late too. */
const MARGIN = 1000;

/**
 * Tells an outage of a source from a delay of this process, which measures itself from when this
 * is created. A process that was busy or frozen looks to its own timers, and to a peer that gives
 * up on it, as if the source were gone.
 */
export class OwnDelay {
  private readonly start = performance.now();
  private readonly utilization = performance.eventLoopUtilization();
  private readonly blocked: number;
  private readonly waited = threadWait();

  /** @param timeout - the time that the source has, in milliseconds. */
  constructor(private readonly timeout: number) {
    eventLoop.watch(timeout + MARGIN);
    this.blocked = eventLoop.blocked;
  }

  /** The same failure, unless it is an outage that this process may have caused. */
  judge(failure: Failed): Failed {
    if (failure.failure.class !== 'unavailable') return failure;
    if (this.stalled) return stalled();
    return threadWait() - this.waited >= this.least ? threadsBusy() : failure;
  }

  /** Milliseconds of its time that the source has lost so far. */
  get lost(): number {
    return eventLoop.blocked - this.blocked;
  }

  /** Whether the source has lost so much that its failure says nothing. */
  get stalled(): boolean {
    if (this.lost >= this.least) return true;
    // Over a shorter time any process is busy: the one that asks.
    if (performance.now() - this.start < this.least) return false;
    return performance.eventLoopUtilization(this.utilization).utilization > SATURATED;
  }

  /** From so many milliseconds on the source may have missed its time because of us. */
  private get least(): number {
    return this.timeout * MOST_LOST;
  }
}

const stalled = (): Failed =>
  failed('overloaded', 'STALLED', 'this process was too busy to receive the answer');

const threadsBusy = (): Failed =>
  failed(
    'overloaded',
    'THREADS_BUSY',
    'this process had no free thread to look up a host name',
  );
