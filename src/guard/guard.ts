/**
 * What stands around a source. A guard answers every question with a verdict, in time:
 *
 *   question → circuit breaker open? → queue full? → wait for a slot → put the question
 *            → timeout → check the answer → resolve a failure to DENY or, fail-open, ALLOW
 *
 * Everything that goes wrong becomes a failure, and a failure becomes a verdict here and
 * nowhere else: combining sees verdicts only.
 */
import type { PermissionRequest } from '../request';
import {
  failed,
  type Answer,
  type Exchange,
  type Failed,
  type LocalSource,
  type PolicySource,
  type RemoteSource,
} from '../sources/source';
import { allow, deny, type Failure, type Verdict } from '../verdict';
import {
  CircuitBreaker,
  type BreakerState,
  type CircuitBreakerOptions,
} from './circuit-breaker';
import { conditionProblem } from './conditions';
import { settleWithin, type Deadline } from './deadline';
import { Limiter, type LimiterOptions } from './limiter';

/**
 * What an unavailable source counts as. `fail-closed`: DENY, nobody gets in while it is away.
 * `fail-open`: ALLOW, everybody does; a flood that makes the source time out does it too.
 */
export type OnUnavailable = 'fail-closed' | 'fail-open';

export interface RemoteGuardOptions extends LimiterOptions {
  /** Milliseconds from being asked to the answer, queueing included. */
  readonly timeout: number;
  readonly circuitBreaker: CircuitBreakerOptions;
}

export interface GuardedAnswer {
  readonly verdict: Verdict;
  readonly exchange?: Exchange | undefined;
}

/** A source that always answers with a verdict. */
export interface Guard {
  /** Never throws and never rejects. */
  ask(
    request: PermissionRequest,
    deadline: Deadline,
    onUnavailable: OnUnavailable,
  ): GuardedAnswer | Promise<GuardedAnswer>;
  close(): Promise<void>;
}

export function createGuard(
  source: PolicySource,
  options: RemoteGuardOptions | undefined,
  onBreakerChange: (state: BreakerState) => void,
): Guard {
  if (!source.remote) return new LocalGuard(source);
  if (!options)
    throw new Error('a remote source needs a timeout, limits and a breaker');
  return new RemoteGuard(source, options, onBreakerChange);
}

class LocalGuard implements Guard {
  constructor(private readonly source: LocalSource) {}

  ask(
    request: PermissionRequest,
    _deadline: Deadline,
    onUnavailable: OnUnavailable,
  ): GuardedAnswer {
    return resolve(check(this.askSource(request), request), onUnavailable);
  }

  async close(): Promise<void> {
    await this.source.close();
  }

  private askSource(request: PermissionRequest): Answer {
    try {
      return this.source.ask(request);
    } catch (error) {
      return threw(error);
    }
  }
}

class RemoteGuard implements Guard {
  private readonly limiter: Limiter;
  private readonly breaker: CircuitBreaker;

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
    onUnavailable: OnUnavailable,
  ): Promise<GuardedAnswer> {
    return resolve(
      check(await this.askInTime(request, deadline), request),
      onUnavailable,
    );
  }

  async close(): Promise<void> {
    this.breaker.close();
    await this.source.close();
  }

  /**
   * A question is put only if at least half of the timeout is left for the answer. So a flood
   * of our own callers makes us `overloaded`, which always denies, and neither opens the
   * breaker of a healthy source nor takes the fail-open way.
   */
  private askInTime(
    request: PermissionRequest,
    deadline: Deadline,
  ): Answer | Promise<Answer> {
    if (this.breaker.refuses) return this.breaker.refusal();
    if (this.limiter.full) {
      return failed(
        'overloaded',
        'QUEUE_FULL',
        'too many questions wait for this source',
      );
    }
    const { timeout } = this.options;
    const end = performance.now() + Math.min(timeout, deadline.remaining());
    const patience = end - performance.now() - timeout / 2;
    if (patience < 0) return tooLate();
    return new Promise(answer => {
      this.limiter.run(
        () => {
          const left = end - performance.now();
          if (left >= timeout / 2) return this.put(request, left, answer);
          answer(tooLate());
          return Promise.resolve();
        },
        () => answer(tooLate()),
        patience,
      );
    });
  }

  /** Settles when the source has let go, which may be after `answer` was given. */
  private async put(
    request: PermissionRequest,
    milliseconds: number,
    answer: (answer: Answer) => void,
  ): Promise<void> {
    const abort = new AbortController();
    let asked: Promise<Answer> | undefined;
    const inTime = (): Promise<Answer> => {
      asked = askSource(this.source, request, abort.signal);
      return settleWithin(asked, milliseconds, () => {
        abort.abort();
        return timedOut(this.options.timeout);
      });
    };
    answer(await this.breaker.fire(inTime));
    await asked;
  }
}

async function askSource(
  source: RemoteSource,
  request: PermissionRequest,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    return await source.ask(request, signal);
  } catch (error) {
    return threw(error);
  }
}

/** An answer that Backstage would choke on is `invalid`. */
function check(answer: Answer, { permission }: PermissionRequest): Answer {
  if (answer.kind !== 'CONDITIONAL') return answer;
  let problem: string | undefined;
  try {
    problem = conditionProblem(answer, permission);
  } catch (error) {
    return threw(error);
  }
  if (problem === undefined) return answer;
  const { exchange } = answer;
  const failure = failed('invalid', 'BAD_CONDITIONS', problem);
  return exchange === undefined ? failure : { ...failure, exchange };
}

/** The only place where a failure becomes a verdict. */
function resolve(answer: Answer, onUnavailable: OnUnavailable): GuardedAnswer {
  if (answer.kind !== 'FAILED') return { verdict: answer, exchange: answer.exchange };
  const { failure, exchange } = answer;
  return { verdict: resolveFailure(failure, onUnavailable), exchange };
}

export function resolveFailure(
  failure: Failure,
  onUnavailable: OnUnavailable,
): Verdict {
  const what = `${failure.class}: ${failure.message}`;
  if (failure.class !== 'unavailable') return { ...deny(what), failure };
  return onUnavailable === 'fail-open'
    ? { ...allow(`${what}; fail-open`), failure }
    : { ...deny(`${what}; fail-closed`), failure };
}

const tooLate = (): Failed =>
  failed('overloaded', 'NO_TIME_LEFT', 'too little time was left to put the question');

const timedOut = (milliseconds: number): Failed =>
  failed('unavailable', 'TIMEOUT', `no answer within ${milliseconds} ms`);

const threw = (error: unknown): Failed =>
  failed('invalid', 'THREW', `the source threw ${nameOf(error)}`);

/** The name only: the message of a foreign error may hold anything. */
const nameOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'name' in error
    ? String(error.name)
    : typeof error;
