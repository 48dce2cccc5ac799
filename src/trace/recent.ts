import type { Attempt } from '../answer';
import type { DecisionRecord, SourceRecord, TraceSink } from './record';

/** A record without what a Rego policy was sent and answered. */
export interface RecentDecision extends Omit<DecisionRecord, 'sources'> {
  /** Counts the decisions since the process started, from 1. */
  readonly number: number;
  readonly sources: ReadonlyArray<Omit<SourceRecord, 'exchange'>>;
}

/** The latest decisions, in memory. */
export class RecentDecisions {
  private ring: RecentDecision[] = [];
  private count = 0;

  /** @param limit - how many are kept. */
  constructor(private limit: number) {}

  readonly sink: TraceSink = record => {
    this.count++;
    if (this.limit === 0) return;
    const sources = record.sources.map(withoutExchange);
    this.ring[(this.count - 1) % this.limit] = {
      ...record,
      sources,
      number: this.count,
    };
  };

  /** From the oldest to the newest. */
  all(): RecentDecision[] {
    return [...this.ring].sort((a, b) => a.number - b.number);
  }

  get(number: number): RecentDecision | undefined {
    return this.ring.find(each => each.number === number);
  }

  /** Keeps so many from now on, the newest ones of those that are there. */
  resize(limit: number): void {
    if (limit === this.limit) return;
    const kept = limit === 0 ? [] : this.all().slice(-limit);
    this.limit = limit;
    this.ring = [];
    for (const each of kept) this.ring[(each.number - 1) % limit] = each;
  }
}

function withoutExchange({
  exchange: _,
  attempts,
  ...source
}: SourceRecord): SourceRecord {
  return attempts
    ? {
        ...source,
        attempts: attempts.map(({ exchange: _exchange, ...rest }): Attempt => rest),
      }
    : source;
}
