/**
 * Questions that one user puts in one turn of the event loop go out as one request:
 *
 *   gather   until the end of the turn                                gathered.ts
 *   split    at most so many questions and bytes in a request         batch-size.ts
 *   queue    a request takes one slot, and counts as one for the breaker
 *   put      each question gets its own answer
 *   again    of a request that failed or is late, each by itself      again.ts
 */
import type { AsyncResource } from 'node:async_hooks';
import type { Answer, FailedAnswer } from '../answer';
import { settleWithin } from '../lib/deadline';
import type { PermissionRequest } from '../request';
import type { BatchAnswer, Batching, PreparedQuestion } from '../sources/source';
import { Again, isInvalid } from './again';
import { BatchSize } from './batch-size';
import type { Outcome } from './breaker';
import { Gathered } from './gathered';
import { queueFull, type Queue } from './queue';
import type { Question } from './question';
import type { Call, Puttable } from './timeout';

/** A request is late after this share of the timeout. */
const LATE = 1 / 4;
/** What a question adds to a request besides its own text, in bytes. */
const OVERHEAD = 64;

/** A question on its way to the source. */
export interface Asked {
  readonly request: PermissionRequest;
  readonly prepared: PreparedQuestion;
  readonly question: Question;
  /** In which it is put by itself; default: that of the caller. */
  readonly context?: AsyncResource;
}

/** How requests reach the source. */
export interface Line {
  /** In milliseconds. */
  readonly timeout: number;
  /** Of the queue. */
  readonly concurrency: number;
  readonly queue: Queue;
  /** Whether the circuit breaker would refuse a request now. */
  readonly refuses: () => boolean;
  /** Puts a request through the circuit breaker, within the timeout. */
  readonly call: <T extends Outcome>(
    puttable: Puttable<T>,
    request: PermissionRequest,
  ) => Call<T>;
  /** The same with one question, in its own async context. */
  readonly callAlone: (asked: Asked) => Call<Answer>;
  /** Puts one question, if somebody waits for it; settles when its slot is free again. */
  readonly putAlone: (asked: Asked) => Promise<void>;
  /** No further caller may join the question. */
  readonly ended: (asked: Asked) => void;
  /** @param problem - why the source cannot answer batches; undefined once it does. */
  readonly batchChanged: (problem: string | undefined) => void;
}

export class Together {
  private readonly size = new BatchSize();
  private readonly gathered = new Gathered<Asked>(asked => this.send(asked));
  private readonly again: Again;
  private currentProblem: string | undefined;

  constructor(
    private readonly batching: Batching,
    private readonly line: Line,
  ) {
    this.again = new Again(line);
  }

  /** Why questions go one by one; undefined while they go together. */
  get problem(): string | undefined {
    return this.currentProblem;
  }

  /** @param who - of the question's key. */
  add(who: string, asked: Asked): void {
    this.gathered.add(who, asked);
  }

  private send(gathered: readonly Asked[]): void {
    const { queue } = this.line;
    for (const part of this.parts(gathered)) {
      if (queue.busy) part.forEach(({ question }) => question.queue());
      if (queue.full) part.forEach(asked => this.refuse(asked));
      else queue.run(() => this.put(part));
    }
  }

  private parts(gathered: readonly Asked[]): Asked[][] {
    const { most } = this.size;
    const { maxBytes } = this.batching;
    const parts: Asked[][] = [];
    let part: Asked[] = [];
    let bytes = 0;
    for (const asked of gathered) {
      const own = Buffer.byteLength(asked.prepared.key?.what ?? '') + OVERHEAD;
      if (part.length === 0 || part.length >= most || bytes + own > maxBytes) {
        parts.push((part = []));
        bytes = 0;
      }
      part.push(asked);
      bytes += own;
    }
    return parts;
  }

  private refuse(asked: Asked): void {
    void asked.question
      .put(() => Promise.resolve(queueFull()))
      .then(() => this.line.ended(asked));
  }

  /** Settles when the source has let go of the request, which may be before the last answer. */
  private async put(part: readonly Asked[]): Promise<void> {
    const waiting = part.filter(asked => this.begin(asked));
    const [first] = waiting;
    if (!first) return;
    if (waiting.length === 1) await this.putOnly(first);
    else await this.putAll(waiting, first);
  }

  private begin(asked: Asked): boolean {
    const isAwaited = asked.question.begin();
    if (!isAwaited) this.line.ended(asked);
    return isAwaited;
  }

  private end(asked: Asked, answer: Answer): void {
    asked.question.end(answer);
    this.line.ended(asked);
  }

  private async putOnly(asked: Asked): Promise<void> {
    const call = this.line.callAlone(asked);
    this.end(asked, await call.answer);
    await call.released;
  }

  private async putAll(waiting: readonly Asked[], first: Asked): Promise<void> {
    const { timeout, refuses, call: put } = this.line;
    const began = performance.now();
    const questions = waiting.map(({ request, prepared }) => ({
      request,
      key: prepared.key!,
    }));
    const call = put<BatchAnswer>(
      { put: signal => this.batching.put(questions, signal) },
      first.request,
    );
    const late = timeout * LATE;
    const inTime = await settleWithin<BatchAnswer | undefined>(
      call.answer,
      late,
      () => undefined,
    );
    this.learn(inTime, waiting.length, (performance.now() - began) / late);
    if (!inTime) void call.answer.then(outcome => this.learnUnusable(outcome));
    // Alone they would be refused: this request is the one that shows whether the source is back.
    const outcome = inTime ?? (refuses() ? await call.answer : undefined);
    const isOver = inTime === undefined || refuses();
    waiting.forEach((asked, index) => {
      if (outcome?.kind === 'ANSWERED') this.end(asked, outcome.answers[index]!);
      // Alone it would be refused too, without the reason that the request knows.
      else if (isOver && outcome?.kind === 'FAILED' && !isInvalid(outcome))
        this.end(asked, outcome);
      else {
        const again = outcome
          ? this.again.afterFailure(asked)
          : this.again.whileLate(asked, partOf(call.answer, index));
        void again.then(answer => this.end(asked, answer));
      }
    });
    await call.released;
  }

  private learn(
    inTime: BatchAnswer | FailedAnswer | undefined,
    questions: number,
    share: number,
  ): void {
    if (inTime === undefined || inTime.kind === 'FAILED') {
      this.size.failed(questions);
    } else if (inTime.kind === 'ANSWERED') {
      this.size.answered(questions, share);
      this.changed(undefined);
    } else {
      this.learnUnusable(inTime);
    }
  }

  /** Also of a late answer: it says that the rule is at fault, whenever it comes. */
  private learnUnusable(outcome: BatchAnswer | FailedAnswer): void {
    if (outcome.kind !== 'UNUSABLE') return;
    this.size.unusable();
    this.changed(outcome.problem);
  }

  private changed(problem: string | undefined): void {
    if (problem === this.currentProblem) return;
    this.currentProblem = problem;
    try {
      this.line.batchChanged(problem);
    } catch {
      // A logger that throws must not keep the callers waiting.
    }
  }
}

/** The answer to one question of a request; undefined if the request has failed. */
const partOf = (
  request: Promise<BatchAnswer | FailedAnswer>,
  index: number,
): Promise<Answer | undefined> =>
  request.then(outcome =>
    outcome.kind === 'ANSWERED' ? outcome.answers[index] : undefined,
  );
