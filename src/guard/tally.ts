import { isFailed, type Answer, type Failed } from '../answer';
import type { Failure, FailureClass } from '../verdict';
import type { Outcome } from './breaker';

/** Of the latest answers, for the percentiles. */
const KEPT_DURATIONS = 1024;

/** What came of the questions to a source at one endpoint, since the process started. */
export interface TallyReading {
  /** Questions, those included that were refused or shared. */
  readonly asked: number;
  /** How many of them failed. */
  readonly failures: Readonly<Record<FailureClass, number>>;
  readonly lastFailure: (Failure & { readonly at: number }) | undefined;
  /** Epoch milliseconds; undefined while it answers. */
  readonly unavailableSince: number | undefined;
  /** Of the latest answers, the wait in the queue included; undefined before the first. Sorts them. */
  readonly percentiles: () => Percentiles | undefined;
}

/** In milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Counts what is asked and how it ends. Nothing is derived until it is read. */
export class Tally {
  private asked = 0;
  private readonly failures = { unavailable: 0, overloaded: 0, invalid: 0 };
  private lastFailure: TallyReading['lastFailure'];
  private readonly durations = new Float64Array(KEPT_DURATIONS);
  private answered = 0;
  private outage: { readonly since: number; cause: Failure } | undefined;

  /** What came of a request that was put: it tells whether the source can be reached. */
  reached(answer: Outcome): void {
    if (!isFailed(answer) || answer.failure.class === 'invalid') {
      this.outage = undefined;
    } else if (answer.failure.class === 'unavailable') {
      const cause = answer.failure;
      if (this.outage) this.outage.cause = cause;
      else this.outage = { since: Date.now(), cause };
    }
  }

  /** What a caller gets; of an outage it says since when, and why. */
  add(answer: Answer, milliseconds: number): Answer {
    this.asked++;
    this.durations[this.answered++ % KEPT_DURATIONS] = milliseconds;
    if (answer.kind !== 'FAILED') return answer;
    const told = this.told(answer);
    this.failures[told.failure.class]++;
    this.lastFailure = { ...told.failure, at: Date.now() };
    return told;
  }

  /** A failure that also says since when the source is unavailable, and why its breaker is open. */
  told<F extends Failed>(answer: F): F {
    const { failure } = answer;
    if (failure.class !== 'unavailable' || !this.outage) return answer;
    const { since, cause } = this.outage;
    const { code, message } = cause;
    const why = failure.code === 'BREAKER_OPEN' ? { cause: { code, message } } : {};
    return { ...answer, failure: { ...failure, since, ...why } };
  }

  read(): TallyReading {
    return {
      asked: this.asked,
      failures: { ...this.failures },
      lastFailure: this.lastFailure,
      unavailableSince: this.outage?.since,
      percentiles: () => this.percentiles(),
    };
  }

  private percentiles(): Percentiles | undefined {
    const kept = Math.min(this.answered, KEPT_DURATIONS);
    if (kept === 0) return undefined;
    const sorted = this.durations.slice(0, kept).sort();
    const at = (share: number): number => sorted[Math.ceil(share * kept) - 1]!;
    return { p50: at(0.5), p99: at(0.99) };
  }
}

/** For questions beside the decisions: it counts nothing, and knows of the same outage. */
export class AsideTally extends Tally {
  constructor(private readonly live: Tally) {
    super();
  }

  override reached(): void {}

  override add(answer: Answer): Answer {
    return answer.kind === 'FAILED' ? this.live.told(answer) : answer;
  }
}
