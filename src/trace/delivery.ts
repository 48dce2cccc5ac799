import type { DecisionRecord, TraceSink } from './record';

/** Milliseconds of sinks' work after which the rest of the process gets a turn. */
const SLICE = 10;
/** Records that wait; it takes sinks that block for seconds to reach it. */
const MAX_WAITING = 10_000;

/**
 * Gives records to the sinks after the decision has been answered, so that no sink delays one,
 * whatever it does.
 */
export class Delivery {
  private waiting: Array<Readonly<DecisionRecord>> = [];
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
    this.waiting.push(record);
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(() => this.deliver());
  }

  private deliver(): void {
    const records = this.waiting;
    const began = performance.now();
    let delivered = 0;
    for (const record of records) {
      for (const sink of this.sinks) give(sink, record);
      delivered++;
      if (performance.now() - began >= SLICE) break;
    }
    this.waiting = records.slice(delivered);
    this.isDue = this.waiting.length > 0;
    if (this.isDue) setImmediate(() => this.deliver());
  }
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
