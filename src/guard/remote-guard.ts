/**
 * Around a source that must be waited for:
 *
 *   question → circuit breaker open? → the same question under way? → queue full?
 *            → wait for a slot → put the question → the answer, or the end of the time
 *
 * Two clocks run. The caller's: `timeout` from being asked, queueing included, and never past
 * the decision's deadline. The source's: `timeout` from when the question was put; only this
 * one tells the circuit breaker, and only a question that had all of it calls the source
 * unavailable. Time that our own queue, deadline or stalls used up is an overload of ours,
 * which always denies: a flood of callers must not take the fail-open way.
 */
import type { PermissionRequest } from '../request';
import {
  Cancellation,
  failed,
  type Answer,
  type Failed,
  type PreparedQuestion,
  type RemoteSource,
} from '../sources/source';
import {
  CircuitBreaker,
  type BreakerState,
  type CircuitBreakerOptions,
} from './breaker';
import type { ConditionCheck } from '../conditions/check';
import { settleWithin, type Deadline } from '../lib/deadline';
import { checked, threw, type Guard } from './guard';
import { Limiter, type LimiterOptions } from './queue';
import { Question, tooLate } from './question';

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
  /** Questions that others may share, by key; the latest of each. */
  private readonly shareable = new Map<string, Question>();
  /** Calls that were given up and cannot be ended: each keeps its slot until it settles. */
  private hung = 0;
  private closed = false;

  constructor(
    private readonly source: RemoteSource,
    private readonly options: RemoteGuardOptions,
    onBreakerChange: (state: BreakerState) => void,
    private readonly onAllHung: () => void = () => {},
  ) {
    this.limiter = new Limiter(options);
    this.breaker = new CircuitBreaker(options.circuitBreaker, onBreakerChange);
  }

  async ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Promise<Answer> {
    const answer = await this.askInTime(request, deadline);
    return checked(answer, request, deadline, checkConditions);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.breaker.close();
    await this.source.close();
  }

  /** A question is put only if at least half of the timeout is left for the answer. */
  private async askInTime(
    request: PermissionRequest,
    deadline: Deadline,
  ): Promise<Answer> {
    if (this.closed) return failed('invalid', 'CLOSED', 'the source has been closed');
    if (this.breaker.refuses) return this.breaker.refusal();
    const { timeout, concurrency } = this.options;
    if (this.hung >= concurrency) return allHung();
    const patience = Math.min(timeout, deadline.remaining());
    if (patience < timeout / 2) return tooLate();
    let prepared: PreparedQuestion;
    try {
      prepared = this.source.prepare(request);
    } catch (error) {
      return threw(error);
    }
    const { key } = prepared;
    const same = key === undefined ? undefined : this.shareable.get(key);
    if (same?.open) return same.wait(patience);
    if (this.limiter.full) return queueFull();
    return this.begin(prepared, patience);
  }

  private begin(prepared: PreparedQuestion, patience: number): Promise<Answer> {
    const { key } = prepared;
    const question = new Question(this.options.timeout, this.limiter.busy);
    if (key !== undefined) this.shareable.set(key, question);
    const answer = question.wait(patience);
    this.limiter.run(async () => {
      await this.put(question, prepared);
      if (key !== undefined && this.shareable.get(key) === question) {
        this.shareable.delete(key);
      }
    });
    return answer;
  }

  private hang(): void {
    this.hung++;
    if (this.hung === this.options.concurrency) this.onAllHung();
  }

  /** Settles when the source has let go of the question, which may be after its time. */
  private async put(question: Question, prepared: PreparedQuestion): Promise<void> {
    const { timeout } = this.options;
    let asked: Promise<Answer> | undefined;
    let hangs = false;
    await question.put(() =>
      this.breaker.fire(() => {
        const abort = new Cancellation();
        const before = performance.eventLoopUtilization();
        asked = askSource(prepared, abort);
        return settleWithin(asked, timeout, () => {
          hangs = !abort.abort();
          if (hangs) this.hang();
          const { utilization } = performance.eventLoopUtilization(before);
          return utilization > STALLED ? stalled() : timedOut(timeout);
        });
      }),
    );
    await asked;
    if (hangs) this.hung--;
  }
}

async function askSource(
  prepared: PreparedQuestion,
  signal: Cancellation,
): Promise<Answer> {
  try {
    return await prepared.put(signal);
  } catch (error) {
    return threw(error);
  }
}

const queueFull = (): Failed =>
  failed('overloaded', 'QUEUE_FULL', 'too many questions wait for this source');

/** Not put for want of a slot, so an overload; fail-open does not open it. */
const allHung = (): Failed =>
  failed(
    'overloaded',
    'HUNG',
    'all calls that may be under way have outlasted the timeout and go on',
  );

const stalled = (): Failed =>
  failed('overloaded', 'STALLED', 'this process was too busy to take the answer');

const timedOut = (milliseconds: number): Failed =>
  failed('unavailable', 'TIMEOUT', `no answer within ${milliseconds} ms`);
