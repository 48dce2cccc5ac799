import { AsyncResource } from 'node:async_hooks';
import type { DecisionRecord, TraceSink } from './record';

/** Milliseconds of sinks' work after which the rest of the process gets a turn. */
const SLICE = 25;
/** Records that wait; it takes sinks that block for seconds to reach it. */
const MAX_WAITING = 10_000;

interface Waiting {
  readonly record: Readonly<DecisionRecord>;
  /** Of the decision: loggers find the trace and the request in it. */
  readonly context: AsyncResource;
}

/**
 * Gives records to the sinks after the decision has been answered, so that no sink delays one,
 * whatever it does.
 */
export class Delivery {
  private waiting: Waiting[] = [];
  private isDue = false;
  private dropped = 0;

  constructor(private readonly sinks: readonly TraceSink[]) {}

  /** Records that reached no sink, because too many waited. */
  get lost(): number {
    return this.dropped;
  }

  add(record: Readonly<DecisionRecord>): void {
    if (this.waiting.length >= MAX_WAITING) {
      this.dropped++;
      return;
    }
    this.waiting.push({ record, context: new AsyncResource('PolicyRouterRecord') });
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(() => this.deliver());
  }

  /** Gives all records that wait, at once. */
  flush(): void {
    this.deliver(Infinity);
  }

  private deliver(slice = SLICE): void {
    const records = this.waiting;
    const began = performance.now();
    let delivered = 0;
    for (const { record, context } of records) {
      context.runInAsyncScope(giveAll, undefined, this.sinks, record);
      delivered++;
      if (performance.now() - began >= slice) break;
    }
    this.waiting = records.slice(delivered);
    this.isDue = this.waiting.length > 0;
    if (!this.isDue) return;
    const took = performance.now() - began;
    // Sinks that block must not take all of the time.
    if (took > 2 * SLICE) setTimeout(() => this.deliver(), took).unref();
    else setImmediate(() => this.deliver());
  }
}

function giveAll(sinks: readonly TraceSink[], record: Readonly<DecisionRecord>): void {
  for (const sink of sinks) give(sink, record);
}

function give(sink: TraceSink, record: Readonly<DecisionRecord>): void {
  try {
    // A sink may be async in spite of its type.
    const given: unknown = sink(record);
    if (given instanceof Promise) given.catch(() => {});
  } catch {
    // A broken sink must not keep the record from the others.
  }
}
