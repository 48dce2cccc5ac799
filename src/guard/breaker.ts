import OpossumBreaker from 'opossum';
import { failed, type Answer, type Failed } from '../answer';

export interface CircuitBreakerOptions {
  /** It opens above this percentage of failures in the window; 1–99. */
  readonly errorThreshold: number;
  /** It never opens with fewer questions in the window. */
  readonly volumeThreshold: number;
  /** Milliseconds. */
  readonly rollingWindow: number;
  /** Milliseconds from opening to the one probe that may close it. */
  readonly resetTimeout: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/**
 * opossum around answers: only `unavailable` counts as a failure. An `invalid` answer came from
 * a source that is reachable, so it counts as a success. opossum's timeout, cache and coalescing
 * are off: its AbortController belongs to the breaker, not to the call.
 */
export class CircuitBreaker {
  private readonly breaker: OpossumBreaker<
    [() => Promise<Answer>, () => boolean],
    Answer
  >;

  constructor(options: CircuitBreakerOptions, onChange: (state: BreakerState) => void) {
    this.breaker = new OpossumBreaker(failureAsRejection, {
      timeout: false,
      errorThresholdPercentage: options.errorThreshold,
      volumeThreshold: options.volumeThreshold,
      rollingCountTimeout: options.rollingWindow,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      resetTimeout: options.resetTimeout,
    });
    this.breaker.on('open', () => onChange('open'));
    this.breaker.on('halfOpen', () => onChange('half-open'));
    this.breaker.on('close', () => onChange('closed'));
  }

  /** True while a question would be refused. */
  get refuses(): boolean {
    return !this.breaker.closed && !this.breaker.pendingClose;
  }

  refusal(): Failed {
    return failed('unavailable', 'BREAKER_OPEN', 'the circuit breaker is open');
  }

  /** Puts a question unless the breaker is open. Never rejects. */
  async fire(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await this.breaker.fire(ask, () => this.breaker.halfOpen);
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
}

class CountedFailure {
  constructor(readonly answer: Answer) {}
}

/** Our own overload does not open a breaker, but as a probe it must not close one either. */
async function failureAsRejection(
  ask: () => Promise<Answer>,
  halfOpen: () => boolean,
): Promise<Answer> {
  const answer = await ask();
  if (answer.kind !== 'FAILED') return answer;
  const failureClass = answer.failure.class;
  if (failureClass === 'unavailable' || (failureClass === 'overloaded' && halfOpen())) {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- a signal to the breaker; nobody reads its stack
    throw new CountedFailure(answer);
  }
  return answer;
}
