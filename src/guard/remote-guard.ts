/**
 * Around a source that must be waited for. A question passes these steps in this order:
 *
 *   refuse    closed, breaker open, every call hangs, or too little time left
 *   share     the same question is under way: wait for its answer     share.ts, question.ts
 *   together  several questions of one user go out as one request     together.ts
 *   queue     full: refuse; busy: wait for a slot                     queue.ts
 *   breaker   open by now: refuse; else count how it ends             breaker.ts
 *   timeout   put the question; the answer, or the end of the time    timeout.ts
 *   check     can Backstage apply the conditions?                     conditions/check.ts
 *
 * Two clocks run. The caller's: `timeout` from being asked, queueing included, and never past
 * the decision's deadline. The source's: `timeout` from when the question was put. Only the
 * source's clock tells the circuit breaker, and only a question that had all of it calls the
 * source unavailable. Time that our own queue, deadline or stalls used up is an overload of
 * ours, which always denies: a flood of callers must not open fail-open.
 */
import { AsyncResource } from 'node:async_hooks';
import type { Answer, Failed } from '../answer';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import { Turns } from '../lib/turns';
import type { PermissionRequest } from '../request';
import type { PreparedQuestion, RemoteSource } from '../sources/source';
import {
  ASIDE_QUEUE,
  ASIDE_SLOTS,
  ASIDE_SLOTS_THAT_MAY_HANG,
  AsideGuard,
  NEVER_OPENS,
} from './aside';
import {
  CircuitBreaker,
  type BreakerState,
  type CircuitBreakerOptions,
  type Outcome,
} from './breaker';
import {
  checked,
  closed,
  inTurn,
  threw,
  type Askable,
  type Guard,
  type GuardStatus,
  type Shadow,
} from './guard';
import { LONGEST } from './again';
import { Queue, queueFull, type QueueOptions } from './queue';
import { inTime, Question, tooLate } from './question';
import { RemoteShadow, SHADOW_QUEUE, SHADOW_SLOTS } from './shadow-guard';
import { Shared } from './share';
import { AsideTally, Tally } from './tally';
import { allHang, Timeout, type Call, type Puttable } from './timeout';
import { Together, type Asked } from './together';

export interface RemoteGuardOptions extends QueueOptions {
  /** Milliseconds from being asked to the answer, queueing included. */
  readonly timeout: number;
  readonly circuitBreaker: CircuitBreakerOptions;
}

export interface RemoteGuardParts {
  readonly turns?: Turns;
  readonly shared?: Shared;
  readonly tally?: Tally;
  /** Default: it is never asked beside the decisions. */
  readonly aside?: RemoteAside;
  /** Told of the guard that asks it to compare it; default: nobody is. */
  readonly shadowObserver?: GuardObserver;
}

/** What a guard needs to ask its source beside the decisions. */
export interface RemoteAside {
  readonly needsUser: boolean;
  /** The source once more, with connections of its own. */
  readonly build: (concurrency: number) => RemoteSource;
}

/** Receives what an operator should know. */
export interface GuardObserver {
  readonly breakerChanged: (state: BreakerState) => void;
  /** @param slots - calls that may be under way at once; all of them hang. */
  readonly allCallsHang: (slots: number) => void;
  /**
   * @param problem - why questions go one by one, though the source is set up to answer several
   * in one request; undefined once it does.
   */
  readonly batchChanged: (problem: string | undefined) => void;
}

export class RemoteGuard implements Guard {
  private readonly queue: Queue;
  private readonly breaker: CircuitBreaker;
  private readonly timeout: Timeout;
  private readonly tally: Tally;
  private readonly turns: Turns;
  private readonly shared: Shared;
  private readonly together: Together | undefined;
  private readonly asideOptions: RemoteAside | undefined;
  private beside: { readonly askable: Askable; close(): Promise<void> } | undefined;
  private closed = false;
  readonly aside: Askable = {
    ask: (...question) => this.besides().askable.ask(...question),
  };
  readonly shadow: Shadow;

  constructor(
    private readonly source: RemoteSource,
    private readonly options: RemoteGuardOptions,
    observer: GuardObserver,
    {
      turns = new Turns(),
      shared = new Shared(),
      tally = new Tally(),
      aside,
      shadowObserver = UNOBSERVED,
    }: RemoteGuardParts = {},
  ) {
    this.tally = tally;
    this.turns = turns;
    this.shared = shared;
    this.asideOptions = aside;
    this.shadow = new RemoteShadow(aside?.needsUser ?? false, () =>
      this.buildShadow(shadowObserver),
    );
    const { concurrency, circuitBreaker } = options;
    this.queue = new Queue(options);
    this.breaker = new CircuitBreaker(circuitBreaker, observer.breakerChanged);
    this.timeout = new Timeout(options, () => observer.allCallsHang(concurrency));
    const { batching } = source;
    this.together =
      batching &&
      new Together(batching, {
        timeout: options.timeout,
        concurrency,
        queue: this.queue,
        refuses: () => this.breaker.refuses,
        call: (...request) => this.call(...request),
        callAlone: asked => this.callAlone(asked),
        putAlone: asked => this.putAlone(asked),
        ended: asked => this.ended(asked),
        batchChanged: problem => observer.batchChanged(problem),
      });
  }

  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer> {
    const began = performance.now();
    const add = (answer: Answer): Answer =>
      this.tally.add(answer, performance.now() - began);
    const take = (answer: Answer): Answer | Promise<Answer> => {
      // What thousands of callers share has arrived for all of them at once.
      if (answer.kind !== 'CONDITIONAL' && !answer.shared) return add(answer);
      const said = inTurn(this.turns, request, deadline, () =>
        checked(answer, request, deadline, checkConditions),
      );
      return said instanceof Promise ? said.then(add) : add(said);
    };
    const answer = this.askInTime(request, deadline);
    return answer instanceof Promise ? answer.then(take) : take(answer);
  }

  status(): GuardStatus {
    const { state, since } = this.breaker;
    const { inFlight, queued } = this.queue;
    return {
      ...this.tally.read(),
      remote: {
        breaker: { state, since },
        inFlight,
        queued,
        ...(this.together ? { batch: { problem: this.together.problem } } : {}),
      },
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.breaker.close();
    await Promise.all([this.source.close(), this.beside?.close(), this.shadow.close()]);
  }

  private askInTime(
    request: PermissionRequest,
    deadline: Deadline,
  ): Answer | Promise<Answer> {
    const patience = Math.min(this.options.timeout, deadline.remaining());
    const refusal = this.refusal(patience);
    if (refusal) return refusal;
    let prepared: PreparedQuestion;
    try {
      prepared = this.source.prepare(request);
    } catch (error) {
      return threw(error);
    }
    const same = this.shared.find(prepared.key);
    if (same) return this.byDeadline(same.wait(patience), deadline);
    if (this.queue.full) return queueFull();
    return this.byDeadline(this.begin(prepared, patience, request), deadline);
  }

  /** A question that is asked again may take longer than the timeout. */
  private byDeadline(answer: Promise<Answer>, deadline: Deadline): Promise<Answer> {
    if (!this.together) return answer;
    const left = deadline.remaining();
    return left < this.options.timeout * LONGEST ? inTime(answer, left) : answer;
  }

  /** A question is put only if at least half of the timeout is left for the answer. */
  private refusal(patience: number): Failed | undefined {
    if (this.closed) return closed();
    if (this.breaker.refuses) return this.breaker.refusal();
    if (this.timeout.allHang) return allHang();
    return patience < this.options.timeout / 2 ? tooLate() : undefined;
  }

  /** Made when it is first needed: most sources are never asked beside the decisions. */
  private besides(): NonNullable<RemoteGuard['beside']> {
    if (this.beside) return this.beside;
    if (!this.asideOptions) throw new Error('this guard asks nothing aside');
    const { needsUser, build } = this.asideOptions;
    const slots = needsUser ? ASIDE_SLOTS_THAT_MAY_HANG : ASIDE_SLOTS;
    const guard = new RemoteGuard(
      build(slots),
      {
        timeout: this.options.timeout,
        concurrency: slots,
        queue: ASIDE_QUEUE,
        circuitBreaker: NEVER_OPENS,
      },
      UNOBSERVED,
      { turns: this.turns, tally: new AsideTally(this.tally) },
    );
    const askable = new AsideGuard(guard, {
      needsUser,
      refusal: () => {
        const refusal = this.refusal(this.options.timeout);
        return refusal && this.tally.told(refusal);
      },
    });
    this.beside = { askable, close: () => guard.close() };
    return this.beside;
  }

  private buildShadow(observer: GuardObserver): Shadow {
    if (!this.asideOptions) throw new Error('this guard asks nothing beside');
    const guard = new RemoteGuard(
      this.asideOptions.build(SHADOW_SLOTS),
      { ...this.options, concurrency: SHADOW_SLOTS, queue: SHADOW_QUEUE },
      observer,
      { turns: this.turns.beside },
    );
    return {
      ask: (...question) => guard.ask(...question),
      close: () => {
        // First, so that no question takes the place of one that ends.
        const closing = guard.close();
        guard.timeout.cancel();
        return closing;
      },
    };
  }

  private begin(
    prepared: PreparedQuestion,
    patience: number,
    request: PermissionRequest,
  ): Promise<Answer> {
    const together = prepared.key && this.together;
    const isQueued = !together && this.queue.busy;
    const question = new Question(this.options.timeout, isQueued);
    this.shared.add(prepared.key, question);
    const answer = question.wait(patience);
    if (prepared.key && together) {
      const context = new AsyncResource('PolicyRouterQuestion');
      together.add(prepared.key.who, { request, prepared, question, context });
    } else this.queue.run(() => this.putAlone({ request, prepared, question }));
    return answer;
  }

  /** Settles when the source has let go of the question, which may be after its time. */
  private async putAlone(asked: Asked): Promise<void> {
    let call: Call<Answer> | undefined;
    await asked.question.put(() => {
      call = this.callAlone(asked);
      return call.answer;
    });
    await call?.released;
    this.ended(asked);
  }

  private callAlone({ context, prepared, request }: Asked): Call<Answer> {
    return context
      ? context.runInAsyncScope(() => this.call(prepared, request))
      : this.call(prepared, request);
  }

  private ended({ prepared, question }: Asked): void {
    this.shared.remove(prepared.key, question);
  }

  private call<T extends Outcome>(
    puttable: Puttable<T>,
    { principal }: PermissionRequest,
  ): Call<T> {
    let call: Call<T> | undefined;
    const answer = this.breaker.fire(() => {
      call = this.timeout.put(puttable);
      return call.answer.then(outcome => {
        this.tally.reached(outcome);
        return outcome;
      });
    }, principal.userEntityRef);
    return { answer, released: answer.then(() => call?.released) };
  }
}

const UNOBSERVED: GuardObserver = {
  breakerChanged: () => {},
  allCallsHang: () => {},
  batchChanged: () => {},
};
