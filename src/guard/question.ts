/**
 * One question for a source, and the callers who wait for its answer. Identical questions
 * under way at the same time share one: a caller who leaves takes it from nobody else.
 */
import { failed, type Answer, type Failed } from '../sources/source';
import { settleWithin } from '../lib/deadline';

interface Waiter {
  /** False for whoever asked first. */
  readonly shares: boolean;
  /** Milliseconds left when the question is put. */
  readonly left: () => number;
  readonly timer: NodeJS.Timeout | undefined;
  readonly answer: (answer: Answer | Promise<Answer>) => void;
}

export class Question {
  private readonly waiting = new Set<Waiter>();
  private underWay:
    { readonly since: number; readonly answer: Promise<Answer> } | undefined;
  private asked = false;
  private given = false;

  /**
   * @param timeout - what the source has for its answer, in milliseconds.
   * @param queued - whether the question must wait before it can be put.
   */
  constructor(
    private readonly timeout: number,
    private readonly queued: boolean,
  ) {}

  /**
   * Whether a further caller may wait for the answer: whoever asks has the source's time for
   * an answer, at least half of it.
   */
  get open(): boolean {
    if (this.given) return false;
    if (!this.underWay) return true;
    return performance.now() - this.underWay.since <= this.timeout / 2;
  }

  /** @param patience - how long this caller can wait, in milliseconds. */
  wait(patience: number): Promise<Answer> {
    if (this.underWay) {
      const { since } = this.underWay;
      const answer = this.underWay.answer.then(shared);
      return patience < since + this.timeout - performance.now()
        ? inTime(answer, patience)
        : answer;
    }
    return new Promise(answer => {
      const end = performance.now() + patience;
      const waiter: Waiter = {
        shares: this.asked,
        left: this.queued ? () => end - performance.now() : () => patience,
        timer: this.queued
          ? setTimeout(() => this.leave(waiter), patience - this.timeout / 2)
          : undefined,
        answer,
      };
      this.asked = true;
      this.waiting.add(waiter);
    });
  }

  /**
   * Puts the question, unless nobody waits for it any more. Every caller has the answer in
   * their own time.
   *
   * @param ask - settles when the answer is there or the source's time is over.
   */
  async put(ask: () => Promise<Answer>): Promise<void> {
    const inTimeFor = [...this.waiting].flatMap(waiter => {
      const left = waiter.left();
      if (left >= this.timeout / 2) return [{ waiter, left }];
      this.leave(waiter);
      return [];
    });
    if (inTimeFor.length === 0) return this.end();
    const answer = ask();
    this.underWay = { since: performance.now(), answer };
    for (const { waiter, left } of inTimeFor) {
      clearTimeout(waiter.timer);
      const own = waiter.shares ? answer.then(shared) : answer;
      waiter.answer(left < this.timeout ? inTime(own, left) : own);
    }
    this.waiting.clear();
    await answer;
    this.end();
  }

  private leave(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.waiting.delete(waiter);
    if (this.waiting.size === 0) this.end();
    waiter.answer(tooLate());
  }

  private end(): void {
    this.given = true;
  }
}

const shared = (answer: Answer): Answer => ({ ...answer, shared: true });

const inTime = (answer: Promise<Answer>, milliseconds: number): Promise<Answer> =>
  settleWithin(answer, milliseconds, () => cutShort(milliseconds));

export const tooLate = (): Failed =>
  failed('overloaded', 'NO_TIME_LEFT', 'too little time was left to put the question');

const cutShort = (milliseconds: number): Failed =>
  failed(
    'overloaded',
    'CUT_SHORT',
    `no answer within the ${Math.round(milliseconds)} ms that the queue and the deadline left`,
  );
