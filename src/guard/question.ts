/**
 * One question for a source, and the callers who wait for its answer. Identical questions
 * under way at the same time share one; a caller who leaves takes it from nobody else.
 */
import { failed, type Answer, type Failed } from '../answer';
import { settleWithin } from '../lib/deadline';
import { threw } from './guard';

interface Caller {
  /** False for the first caller. */
  readonly shares: boolean;
  /** In milliseconds, from when the caller asked. */
  readonly patience: number;
  /** When it is over, on the monotonic clock. */
  readonly end: number;
  /** Set while the caller waits in a queue. */
  timer: NodeJS.Timeout | undefined;
  readonly answer: (answer: Answer | Promise<Answer>) => void;
}

export class Question {
  /** `ended`: answered, or every caller has left before it was put. */
  private state: 'waiting' | 'under way' | 'ended' = 'waiting';
  private readonly callers = new Set<Caller>();
  private hasCaller = false;
  /** When it was put, on the monotonic clock. */
  private since = 0;

  /**
   * @param timeout - the time the source has for its answer, in milliseconds.
   * @param isQueued - whether it waits for a slot of the source; else it is put within the turn.
   */
  constructor(
    private readonly timeout: number,
    private isQueued: boolean,
  ) {}

  /**
   * Whether a further caller may wait for the answer: only if at least half of the timeout is
   * left.
   */
  get open(): boolean {
    return this.state === 'under way'
      ? performance.now() - this.since <= this.timeout / 2
      : this.state === 'waiting';
  }

  /** Says that it waits for a slot after all. */
  queue(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    for (const caller of this.callers) this.startTimer(caller);
  }

  /** @param patience - how long this caller can wait, in milliseconds. */
  wait(patience: number): Promise<Answer> {
    if (this.state === 'ended') return Promise.resolve(tooLate());
    const isUnderWay = this.state === 'under way';
    const answer = new Promise<Answer>(resolve => this.add(patience, resolve));
    return isUnderWay && patience < this.since + this.timeout - performance.now()
      ? inTime(answer, patience)
      : answer;
  }

  /**
   * Puts the question, unless every caller has left. Each caller has the answer in its own time.
   *
   * @param ask - settles when the answer arrives or the source's time is over.
   */
  async put(ask: () => Promise<Answer>): Promise<void> {
    if (!this.begin()) return;
    try {
      this.end(await ask());
    } catch (error) {
      this.end(threw(error));
    }
  }

  /** @returns whether it must be put now, because somebody waits for it; then `end` follows. */
  begin(): boolean {
    if (this.state !== 'waiting') return false;
    for (const caller of [...this.callers]) this.beginFor(caller);
    this.state = this.callers.size > 0 ? 'under way' : 'ended';
    this.since = performance.now();
    return this.callers.size > 0;
  }

  /** Gives the answer to all who wait for it. */
  end(answer: Answer): void {
    this.state = 'ended';
    for (const caller of this.callers)
      caller.answer(caller.shares ? shared(answer) : answer);
    this.callers.clear();
  }

  private add(patience: number, answer: Caller['answer']): void {
    const end = performance.now() + patience;
    const caller = { shares: this.hasCaller, patience, end, timer: undefined, answer };
    this.hasCaller = true;
    this.callers.add(caller);
    if (this.isQueued && this.state === 'waiting') this.startTimer(caller);
  }

  private startTimer(caller: Caller): void {
    const left = caller.end - performance.now();
    caller.timer = setTimeout(() => this.leave(caller), left - this.timeout / 2);
  }

  private beginFor(caller: Caller): void {
    clearTimeout(caller.timer);
    const { patience, end } = caller;
    const left = this.isQueued ? end - performance.now() : patience;
    if (left < this.timeout / 2) this.leave(caller);
    else if (left < this.timeout) this.hurry(caller, left);
  }

  /** The caller has less time than the source. */
  private hurry(caller: Caller, left: number): void {
    this.callers.delete(caller);
    const own = new Promise<Answer>(answer => this.callers.add({ ...caller, answer }));
    caller.answer(inTime(own, left));
  }

  private leave(caller: Caller): void {
    clearTimeout(caller.timer);
    this.callers.delete(caller);
    if (this.callers.size === 0) this.state = 'ended';
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
