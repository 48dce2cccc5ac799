/**
 * One question for a source, and the callers who wait for its answer. Identical questions
 * under way at the same time share one; a caller who leaves takes it from nobody else.
 */
import { failed, type Answer, type Failed } from '../answer';
import { settleWithin } from '../lib/deadline';

interface Caller {
  /** False for the first caller. */
  readonly shares: boolean;
  /** Milliseconds left when the question is put. */
  readonly left: () => number;
  readonly timer: NodeJS.Timeout | undefined;
  readonly answer: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
}

type State =
  /** For a slot of the source. */
  | { readonly kind: 'waiting'; readonly callers: Set<Caller> }
  | {
      readonly kind: 'under way';
      readonly since: number;
      readonly answer: Promise<Answer>;
    }
  /** Answered, or every caller has left before it was put. */
  | { readonly kind: 'ended' };

export class Question {
  private state: State = { kind: 'waiting', callers: new Set() };
  private hasCaller = false;
  private isGathered = false;

  /**
   * @param timeout - the time the source has for its answer, in milliseconds.
   * @param queued - whether the question must wait before it can be put.
   */
  constructor(
    private readonly timeout: number,
    private readonly queued: boolean,
  ) {}

  /**
   * Whether a further caller may wait for the answer: only if at least half of the timeout is
   * left.
   */
  get open(): boolean {
    switch (this.state.kind) {
      case 'waiting':
        return true;
      case 'under way':
        return performance.now() - this.state.since <= this.timeout / 2;
      case 'ended':
        return false;
    }
  }

  /**
   * Says that it has waited for no slot, but only until other questions of its turn were gathered:
   * of that the source loses no time.
   */
  gathered(): void {
    this.isGathered = true;
  }

  /** @param patience - how long this caller can wait, in milliseconds. */
  wait(patience: number): Promise<Answer> {
    switch (this.state.kind) {
      case 'waiting':
        return this.enqueue(patience, this.state.callers);
      case 'under way': {
        const { since } = this.state;
        const answer = this.state.answer.then(shared);
        return patience < since + this.timeout - performance.now()
          ? inTime(answer, patience)
          : answer;
      }
      case 'ended':
        return Promise.resolve(tooLate());
    }
  }

  /**
   * Puts the question, unless every caller has left. Each caller has the answer in its own time.
   *
   * @param ask - settles when the answer arrives or the source's time is over.
   */
  async put(ask: () => Promise<Answer>): Promise<void> {
    if (this.state.kind !== 'waiting') return;
    const { callers } = this.state;
    const inTimeFor: Array<{ readonly caller: Caller; readonly left: number }> = [];
    for (const caller of callers) {
      const left = caller.left();
      if (left >= this.timeout / 2) inTimeFor.push({ caller, left });
      else this.leave(caller, callers);
    }
    if (inTimeFor.length === 0) {
      this.state = { kind: 'ended' };
      return;
    }
    const answer = ask();
    this.state = { kind: 'under way', since: performance.now(), answer };
    for (const { caller, left } of inTimeFor) {
      clearTimeout(caller.timer);
      const own = caller.shares ? answer.then(shared) : answer;
      (left < this.timeout ? inTime(own, left) : own).then(caller.answer, caller.fail);
    }
    await answer;
    this.state = { kind: 'ended' };
  }

  private enqueue(patience: number, callers: Set<Caller>): Promise<Answer> {
    return new Promise((answer, fail) => {
      const end = performance.now() + patience;
      const caller: Caller = {
        shares: this.hasCaller,
        left: () => {
          if (!this.queued || (this.isGathered && patience >= this.timeout))
            return patience;
          return end - performance.now();
        },
        timer: this.queued
          ? setTimeout(() => this.leave(caller, callers), patience - this.timeout / 2)
          : undefined,
        answer,
        fail,
      };
      this.hasCaller = true;
      callers.add(caller);
    });
  }

  private leave(caller: Caller, callers: Set<Caller>): void {
    clearTimeout(caller.timer);
    callers.delete(caller);
    if (callers.size === 0) this.state = { kind: 'ended' };
    caller.answer(tooLate());
  }
}

const shared = (answer: Answer): Answer => ({ ...answer, shared: true });

export const inTime = (
  answer: Promise<Answer>,
  milliseconds: number,
): Promise<Answer> => settleWithin(answer, milliseconds, () => cutShort(milliseconds));

export const tooLate = (): Failed =>
  failed('overloaded', 'NO_TIME_LEFT', 'too little time was left to put the question');

const cutShort = (milliseconds: number): Failed =>
  failed(
    'overloaded',
    'CUT_SHORT',
    `no answer within the ${Math.round(milliseconds)} ms that the queue and the deadline left`,
  );
