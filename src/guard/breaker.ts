import OpossumBreaker from 'opossum';
import { failed, isFailed, type Failed, type FailedAnswer } from '../answer';
import { FailingUsers } from './failing-users';

export interface CircuitBreakerOptions {
  /** It opens above this percentage of failures in the window; 1–99. */
  readonly errorThreshold: number;
  /** It never opens with fewer questions in the window. */
  readonly volumeThreshold: number;
  /** Milliseconds. */
  readonly rollingWindow: number;
  /** Milliseconds from opening to the one probe that may close it. */
  readonly resetTimeout: number;
  /** It opens only if questions of so many different users failed in the window; 1 for any. */
  readonly distinctUsers: number;
}

/** What came of a request: an answer to one question, or the answers to several. */
export interface Outcome {
  readonly kind: string;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/**
 * opossum around requests: only `unavailable` counts as a failure. An `invalid` answer came from
 * a source that is reachable, so it counts as a success. opossum's timeout, cache and coalescing
 * are off: its AbortController belongs to the breaker, not to the call.
 */
export class CircuitBreaker {
  private readonly breaker: OpossumBreaker<[() => Promise<Outcome>], Outcome>;
  private readonly failing: FailingUsers;
  private current: BreakerState = 'closed';
  private changed: number | undefined;

  constructor(
    options: CircuitBreakerOptions,
    private readonly onChange: (state: BreakerState) => void,
  ) {
    this.failing = new FailingUsers(options.distinctUsers, options.rollingWindow);
    this.breaker = new OpossumBreaker(ask => ask(), {
      timeout: false,
      errorThresholdPercentage: options.errorThreshold,
      volumeThreshold: options.volumeThreshold,
      rollingCountTimeout: options.rollingWindow,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      resetTimeout: options.resetTimeout,
    });
    this.breaker.on('open', () => {
      // opossum has no say in when it opens. Closed at once, it refuses nothing, and counts on.
      if (this.current === 'closed' && !this.failing.enough) this.breaker.close();
      else this.become('open');
    });
    this.breaker.on('halfOpen', () => this.become('half-open'));
    this.breaker.on('close', () => this.become('closed'));
  }

  get state(): BreakerState {
    return this.current;
  }

  /** Since when it has this state, as epoch milliseconds; undefined if it always had it. */
  get since(): number | undefined {
    return this.changed;
  }

  /** True while a question would be refused. */
  get refuses(): boolean {
    return !this.breaker.closed && !this.breaker.pendingClose;
  }

  refusal(): Failed {
    return failed('unavailable', 'BREAKER_OPEN', 'the circuit breaker is open');
  }

  /**
   * Puts a request unless the breaker is open. Never rejects.
   *
   * @param user - who asks; undefined for the anonymous.
   */
  async fire<T extends Outcome>(
    ask: () => Promise<T | FailedAnswer>,
    user: string | undefined,
  ): Promise<T | FailedAnswer> {
    try {
      const outcome = await this.breaker.fire(() =>
        ask().then(answer => this.failureAsRejection(answer, user)),
      );
      return outcome as T | FailedAnswer;
    } catch (error) {
      if (error instanceof CountedFailure) return error.answer;
      if ((error as { code?: unknown }).code === 'EOPENBREAKER') return this.refusal();
      return failed(
        'invalid',
        'INTERNAL',
        'the circuit breaker could not put the question',
      );
    }
  }

  close(): void {
    this.breaker.shutdown();
  }

  /** Our own overload does not open a breaker, but as a probe it must not close one either. */
  private failureAsRejection(answer: Outcome, user: string | undefined): Outcome {
    if (!isFailed(answer)) return answer;
    const failureClass = answer.failure.class;
    if (failureClass === 'unavailable') this.failing.add(user);
    else if (failureClass !== 'overloaded' || !this.breaker.halfOpen) return answer;
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- a signal to the breaker; nobody reads its stack
    throw new CountedFailure(answer);
  }

  private become(state: BreakerState): void {
    if (state === this.current) return;
    this.current = state;
    this.changed = Date.now();
    // After an outage one user must not open it again alone.
    if (state === 'closed') this.failing.forget();
    this.onChange(state);
  }
}

class CountedFailure {
  constructor(readonly answer: Failed) {}
}
