/**
 * Questions that one user puts in one turn of the event loop go out as one request:
 *
 *   gather   until the end of the turn                                gathered.ts
 *   split    at most so many questions and bytes in a request         batch-size.ts
 *   queue    a request takes one slot, and counts as one for the breaker
 *   put      each question gets its own answer
 *
 * Whatever is no answer to a request makes its questions go one by one, in the time they have
 * left: a question that OPA cannot answer, or is slow to answer, must not spoil the others. For
 * the same reason they go one by one if the answer is late; then whichever is first counts.
 */
import { isFailed, type Answer, type Failed } from '../answer';
import { settleWithin } from '../lib/deadline';
import type { PermissionRequest } from '../request';
import { OwnDelay } from '../sources/own-delay';
import type { BatchAnswer, Batching, PreparedQuestion } from '../sources/source';
import { BatchSize } from './batch-size';
import type { Outcome } from './breaker';
import { Gathered } from './gathered';
import { Queue, queueFull } from './queue';
import { cutShort, tooLate, type Question } from './question';
import { timedOut, type Call, type Puttable } from './timeout';

/** A request is late after this share of the timeout, so that its questions have most of it left. */
const LATE = 1 / 4;
/**
 * Of the questions of failed and late requests, so many are asked by themselves at once. A source
 * that is late because it has too much to do must not get many times as many requests for that.
 */
const AGAIN_AT_ONCE = 16;
/** What a question adds to a request besides its own text, in bytes. */
const OVERHEAD = 64;

/** A question on its way to the source. */
export interface Asked {
  readonly request: PermissionRequest;
  readonly prepared: PreparedQuestion;
  readonly question: Question;
}

/** How requests reach the source. */
export interface Line {
  /** In milliseconds. */
  readonly timeout: number;
  readonly queue: Queue;
  /** Whether the circuit breaker would refuse a request now. */
  readonly refuses: () => boolean;
  /** Puts a request through the circuit breaker, within the timeout. */
  readonly call: <T extends Outcome>(
    puttable: Puttable<T>,
    request: PermissionRequest,
  ) => Call<T>;
  /** Puts one question, and holds its slot. */
  readonly putAlone: (asked: Asked) => Promise<void>;
  /** No further caller may join the question. */
  readonly ended: (asked: Asked) => void;
  /** @param problem - why the source cannot answer batches; undefined once it does. */
  readonly batchChanged: (problem: string | undefined) => void;
}

export class Together {
  private readonly size = new BatchSize();
  private readonly gathered = new Gathered<Asked>(asked => this.send(asked));
  private readonly again = new Queue({ concurrency: AGAIN_AT_ONCE, queue: Infinity });
  private currentProblem: string | undefined;

  constructor(
    private readonly batching: Batching,
    private readonly line: Line,
  ) {}

  /** Why questions go one by one; undefined while they go together. */
  get problem(): string | undefined {
    return this.currentProblem;
  }

  /** @param who - of the question's key. */
  add(who: string, asked: Asked): void {
    this.gathered.add(who, asked);
  }

  private send(gathered: readonly Asked[]): void {
    const { queue, putAlone } = this.line;
    for (const part of this.parts(gathered)) {
      const [first] = part;
      if (!queue.busy) part.forEach(({ question }) => question.gathered());
      if (queue.full) part.forEach(asked => this.refuse(asked));
      else if (part.length === 1 && first) queue.run(() => putAlone(first));
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
    const waiting: Waiting[] = [];
    for (const asked of part) {
      const answered = asked.question.put(
        () => new Promise<Answer>(answer => waiting.push({ asked, answer })),
      );
      void answered.then(() => this.line.ended(asked));
    }
    const [first] = waiting;
    if (!first) return;
    if (waiting.length === 1) await this.putOnly(first);
    else await this.putAll(waiting, first);
  }

  private async putOnly({ asked, answer }: Waiting): Promise<void> {
    const call = this.line.call(asked.prepared, asked.request);
    answer(call.answer);
    await call.released;
  }

  private async putAll(waiting: readonly Waiting[], first: Waiting): Promise<void> {
    const { timeout, refuses, call: put } = this.line;
    const clock = new Clock(timeout);
    const requests = waiting.map(({ asked }) => asked.request);
    const call = put<BatchAnswer>(
      { put: signal => this.batching.put(requests, signal) },
      first.asked.request,
    );
    const late = timeout * LATE;
    const inTime = await settleWithin<BatchAnswer | undefined>(
      call.answer,
      late,
      () => undefined,
    );
    this.learn(inTime, waiting.length, clock.elapsed / late);
    // Alone they would be refused: this request is the one that shows whether the source is back.
    const outcome = inTime ?? (refuses() ? await call.answer : undefined);
    const isOver = inTime === undefined || refuses();
    waiting.forEach((each, index) => {
      if (outcome?.kind === 'ANSWERED') each.answer(outcome.answers[index]!);
      // Alone it would be refused too, without the reason that the request knows.
      else if (isOver && outcome?.kind === 'FAILED' && !isInvalid(outcome))
        each.answer(outcome);
      else this.askAlso(each, index, call.answer, clock);
    });
    await call.released;
  }

  private learn(
    inTime: BatchAnswer | undefined,
    questions: number,
    share: number,
  ): void {
    if (inTime === undefined || inTime.kind === 'FAILED') {
      this.size.failed(questions);
    } else if (inTime.kind === 'UNUSABLE') {
      this.size.unusable();
      this.changed(inTime.problem);
    } else {
      this.size.answered(questions, share);
      this.changed(undefined);
    }
  }

  /** Asks one question of a request by itself. */
  private askAlso(
    { asked, answer }: Waiting,
    index: number,
    batch: Promise<BatchAnswer>,
    clock: Clock,
  ): void {
    let isAnswered = false;
    const inBatch = batch.then(given => {
      if (given.kind !== 'ANSWERED') return undefined;
      isAnswered = true;
      return given.answers[index];
    });
    // Time that our own queue takes is an overload of ours, even if the request is not answered:
    // one question of it may be slow, and must not open fail-open for the others.
    let inTheEnd: () => Answer = tooLate;
    const { timeout } = this.line;
    const alone = new Promise<Answer>(done => {
      this.runAgain(
        async hasWaited => {
          const { left } = clock;
          if (isAnswered || left < timeout / 2) return done(tooLate());
          inTheEnd = () => (hasWaited ? cutShort(left) : clock.timedOut());
          const call = this.line.call(asked.prepared, asked.request);
          done(call.answer);
          await call.released;
        },
        () => done(queueFull()),
      );
    });
    void alone.then(its => (inTheEnd = () => its));
    const first = firstOf(inBatch, alone);
    const wait = (milliseconds: number): Promise<Answer> =>
      settleWithin(first, milliseconds, () =>
        clock.left > 0 ? wait(clock.left) : inTheEnd(),
      );
    answer(wait(Math.max(0, clock.left)));
  }

  /** @param put - settles when its slot is free again. */
  private runAgain(
    put: (hasWaited: boolean) => Promise<void>,
    refuse: () => void,
  ): void {
    const { queue } = this.line;
    const hasWaited = this.again.busy || queue.busy;
    this.again.run(
      () =>
        new Promise(free => {
          if (!queue.full) return queue.run(() => put(hasWaited).finally(free));
          refuse();
          free();
        }),
    );
  }

  private changed(problem: string | undefined): void {
    if (problem === this.currentProblem) return;
    this.currentProblem = problem;
    this.line.batchChanged(problem);
  }
}

interface Waiting {
  readonly asked: Asked;
  readonly answer: (answer: Promise<Answer> | Answer) => void;
}

/** Of a request: the time of the source, which is that of each question in it. */
class Clock {
  private readonly began = performance.now();
  private readonly delay: OwnDelay;

  constructor(private readonly timeout: number) {
    this.delay = new OwnDelay(timeout);
  }

  get elapsed(): number {
    return performance.now() - this.began;
  }

  /** Gives the source back what it lost because of us, until that is too much to wait for. */
  get left(): number {
    const { lost, stalled } = this.delay;
    return this.timeout + (stalled ? 0 : lost) - this.elapsed;
  }

  timedOut(): Answer {
    return this.delay.judge(timedOut(this.timeout));
  }
}

const isInvalid = ({ failure }: Failed): boolean => failure.class === 'invalid';

/**
 * The answer that comes first. That the source could not be asked about the question alone counts
 * only if the batch has no answer.
 */
async function firstOf(
  inBatch: Promise<Answer | undefined>,
  alone: Promise<Answer>,
): Promise<Answer> {
  const first = await Promise.race([inBatch, alone]);
  if (first && (!isFailed(first) || isInvalid(first))) return first;
  return (await inBatch) ?? alone;
}
