/**
 * Around a source that must be waited for:
 *
 *   question → circuit breaker open? → queue full? → wait for a slot → put the question
 *            → the answer, or the end of the time
 *
 * Two clocks run. The caller's: `timeout` from being asked, queueing included, and never past
 * the decision's deadline. The source's: `timeout` from when the question was put; only this
 * one tells the circuit breaker, and only a caller who had all of it calls the source
 * unavailable. Time that our own queue, deadline or stalls used up is an overload of ours,
 * which always denies: a flood of callers must not take the fail-open way.
 */
import type { PermissionRequest } from '../request';
import {
  Cancellation,
  failed,
  type Answer,
  type Failed,
  type RemoteSource,
} from '../sources/source';
import {
  CircuitBreaker,
  type BreakerState,
  type CircuitBreakerOptions,
} from './circuit-breaker';
import { settleWithin, type Deadline } from './deadline';
import { threw, toVerdict, type Guard, type GuardedAnswer, type Terms } from './guard';
import { Limiter, type LimiterOptions } from './limiter';

export interface RemoteGuardOptions extends LimiterOptions {
  /** Milliseconds from being asked to the answer, queueing included. */
  readonly timeout: number;
  readonly circuitBreaker: CircuitBreakerOptions;
}

/** Past this share of busy time our own process cannot tell whether the source was in time. */
const STALLED = 0.9;

export class RemoteGuard implements Guard {
  private readonly limiter: Limiter;
  private readonly breaker: CircuitBreaker;
  private closed = false;

  constructor(
    private readonly source: RemoteSource,
    private readonly options: RemoteGuardOptions,
    onBreakerChange: (state: BreakerState) => void,
  ) {
    this.limiter = new Limiter(options);
    this.breaker = new CircuitBreaker(options.circuitBreaker, onBreakerChange);
  }

  async ask(
    request: PermissionRequest,
    deadline: Deadline,
    terms: Terms,
  ): Promise<GuardedAnswer> {
    const answer = await this.askInTime(request, deadline);
    return toVerdict(answer, request, deadline, terms);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.breaker.close();
    await this.source.close();
  }

  /** A question is put only if at least half of the timeout is left for the answer. */
  private askInTime(
    request: PermissionRequest,
    deadline: Deadline,
  ): Answer | Promise<Answer> {
    if (this.closed) return failed('invalid', 'CLOSED', 'the source has been closed');
    if (this.breaker.refuses) return this.breaker.refusal();
    if (this.limiter.full) return queueFull();
    const { timeout } = this.options;
    const allowed = Math.min(timeout, deadline.remaining());
    if (allowed < timeout / 2) return tooLate();
    const end = performance.now() + allowed;
    const atOnce = allowed === timeout && !this.limiter.busy;
    return new Promise(answer => {
      this.limiter.run(
        async () => {
          const left = atOnce ? timeout : end - performance.now();
          if (left < timeout / 2) answer(tooLate());
          else await this.put(request, left, answer);
        },
        () => answer(tooLate()),
        allowed - timeout / 2,
      );
    });
  }

  /**
   * Gives the answer to the caller within `left` milliseconds, and settles when the source
   * has let go of the question, which may be later.
   */
  private async put(
    request: PermissionRequest,
    left: number,
    answer: (answer: Answer) => void,
  ): Promise<void> {
    const { timeout } = this.options;
    const abort = new Cancellation();
    const before = performance.eventLoopUtilization();
    let asked: Promise<Answer> | undefined;
    const judged = this.breaker.fire(() => {
      asked = askSource(this.source, request, abort);
      return settleWithin(asked, timeout, () => {
        abort.abort();
        const { utilization } = performance.eventLoopUtilization(before);
        return utilization > STALLED ? stalled() : timedOut(timeout);
      });
    });
    if (left === timeout) answer(await judged);
    else answer(await settleWithin(judged, left, () => cutShort(left)));
    await judged;
    await asked;
  }
}

async function askSource(
  source: RemoteSource,
  request: PermissionRequest,
  signal: Cancellation,
): Promise<Answer> {
  try {
    return await source.ask(request, signal);
  } catch (error) {
    return threw(error);
  }
}

const queueFull = (): Failed =>
  failed('overloaded', 'QUEUE_FULL', 'too many questions wait for this source');

const tooLate = (): Failed =>
  failed('overloaded', 'NO_TIME_LEFT', 'too little time was left to put the question');

const cutShort = (milliseconds: number): Failed =>
  failed(
    'overloaded',
    'CUT_SHORT',
    `no answer within the ${Math.round(milliseconds)} ms that the queue and the deadline left`,
  );

const stalled = (): Failed =>
  failed('overloaded', 'STALLED', 'this process was too busy to take the answer');

const timedOut = (milliseconds: number): Failed =>
  failed('unavailable', 'TIMEOUT', `no answer within ${milliseconds} ms`);
