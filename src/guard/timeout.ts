import { failed, isFailed, type Failed, type FailedAnswer } from '../answer';
import { settleWithin } from '../lib/deadline';
import { OwnDelay } from '../sources/own-delay';
import { Cancellation } from '../sources/source';
import type { Outcome } from './breaker';
import { threw } from './guard';

export interface TimeoutOptions {
  /** Milliseconds from putting a question to its answer. */
  readonly timeout: number;
  /** Calls that may be under way at once; if all of them hang, there is no slot left. */
  readonly concurrency: number;
}

/** A request for a source: one question, or several. */
export interface Puttable<T extends Outcome> {
  put(signal: Cancellation): Promise<T | FailedAnswer>;
}

/** A request that has been put. */
export interface Call<T extends Outcome> {
  /** Settles when the answer arrives or the timeout is over; never rejects. */
  readonly answer: Promise<T | FailedAnswer>;
  /** Settles when the source has let go of the request, which may be later. */
  readonly released: Promise<unknown>;
}

/** Puts requests, gives up each one after the timeout, and counts those that go on regardless. */
export class Timeout {
  private hanging = 0;
  private readonly underWay = new Set<Cancellation>();

  constructor(
    private readonly options: TimeoutOptions,
    private readonly onAllHang: () => void,
  ) {}

  /** True while every slot is held by a call that has outlasted the timeout. */
  get allHang(): boolean {
    return this.hanging >= this.options.concurrency;
  }

  put<T extends Outcome>(question: Puttable<T>): Call<T> {
    const { timeout } = this.options;
    const signal = new Cancellation();
    const delay = new OwnDelay(timeout);
    let hangs = false;
    this.underWay.add(signal);
    const asked = ask(question, signal, delay, () => {
      this.underWay.delete(signal);
      if (hangs) this.hanging--;
    });
    const answer = this.waitFor(asked, delay, () => {
      hangs = !signal.abort();
      if (hangs) this.hang();
    });
    return { answer, released: asked };
  }

  /** Ends the calls under way, as far as the source lets them be ended. */
  cancel(): void {
    for (const signal of this.underWay) signal.abort();
  }

  /** Gives the source back what it lost because of us, until that is too much to wait for. */
  private waitFor<T extends Outcome>(
    asked: Promise<T | FailedAnswer>,
    delay: OwnDelay,
    giveUp: () => void,
  ): Promise<T | FailedAnswer> {
    const { timeout } = this.options;
    let given = 0;
    const waitAnother = (milliseconds: number): Promise<T | FailedAnswer> => {
      given += milliseconds;
      return settleWithin(asked, milliseconds, () => {
        const left = delay.stalled ? 0 : timeout + delay.lost - given;
        if (left > 0) return waitAnother(left);
        giveUp();
        return delay.judge(timedOut(timeout));
      });
    };
    return waitAnother(timeout);
  }

  private hang(): void {
    this.hanging++;
    if (this.hanging < this.options.concurrency) return;
    try {
      this.onAllHang();
    } catch {
      // A logger that throws must not keep the caller waiting.
    }
  }
}

/** @param release - called when the source has let go of the question. */
async function ask<T extends Outcome>(
  question: Puttable<T>,
  signal: Cancellation,
  delay: OwnDelay,
  release: () => void,
): Promise<T | FailedAnswer> {
  try {
    const answer = await question.put(signal);
    return isFailed(answer) ? { ...answer, ...delay.judge(answer) } : answer;
  } catch (error) {
    return threw(error);
  } finally {
    release();
  }
}

/** Not asked because no slot is free, so an overload; fail-open does not open it. */
export const allHang = (): Failed =>
  failed(
    'overloaded',
    'HUNG',
    'every call that may be under way has outlasted the timeout and is still running',
  );

const timedOut = (milliseconds: number): Failed =>
  failed('unavailable', 'TIMEOUT', `no answer within ${milliseconds} ms`);
