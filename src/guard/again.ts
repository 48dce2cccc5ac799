/**
 * The questions of a request that failed or is late are asked by themselves: a question that OPA
 * cannot answer, or is slow to answer, must not spoil the others. Each has all of the timeout
 * again, because only a question that had it calls the source unavailable. So it may take longer
 * than the timeout in all, but never longer than its decision's deadline.
 */
import { isFailed, type Answer, type FailedAnswer } from '../answer';
import { Queue, queueFull } from './queue';
import { Question, tooLate } from './question';
import type { Asked, Line } from './together';

/** Of the timeout: how long a question may take that is asked again, with the request before. */
export const LONGEST = 1.4;
/** Of the timeout, for a slot and the answer: more than the timeout, so that a moment is no wait. */
const PATIENCE = 1.1;

export class Again {
  private readonly late: Queue;

  /** @param line - on which the questions are put. */
  constructor(private readonly line: Line) {
    // A source that is late because it has too much to do still has slots for whole requests.
    const concurrency = Math.max(1, Math.floor(line.concurrency / 2));
    this.late = new Queue({ concurrency, queue: Infinity });
  }

  /** Of a request that has failed. */
  afterFailure(asked: Asked): Promise<Answer> {
    const { again, answer } = this.question(asked);
    void this.put(again, () => false);
    return marked(answer, 'failed');
  }

  /**
   * Of a request that is late: the first answer counts.
   *
   * @param inBatch - its part of the answer; undefined if the request has failed.
   */
  whileLate(asked: Asked, inBatch: Promise<Answer | undefined>): Promise<Answer> {
    const { again, answer } = this.question(asked);
    let isAnswered = false;
    void inBatch.then(given => (isAnswered = given !== undefined));
    this.late.run(() => this.put(again, () => isAnswered));
    return firstOf(inBatch, marked(answer, 'late'));
  }

  private question(asked: Asked): { again: Asked; answer: Promise<Answer> } {
    const { timeout } = this.line;
    const question = new Question(timeout, true);
    return { again: { ...asked, question }, answer: question.wait(PATIENCE * timeout) };
  }

  /** Settles when its slot is free again. */
  private put(again: Asked, isAnswered: () => boolean): Promise<void> {
    const { queue, putAlone } = this.line;
    if (queue.full) return this.refuse(again, queueFull);
    const put = (): Promise<void> =>
      isAnswered() ? this.refuse(again, tooLate) : putAlone(again);
    return new Promise(free => queue.run(() => put().finally(free)));
  }

  private refuse({ question }: Asked, why: () => Answer): Promise<void> {
    return question.put(() => Promise.resolve(why()));
  }
}

const marked = async (
  answer: Promise<Answer>,
  again: 'failed' | 'late',
): Promise<Answer> => ({ ...(await answer), again });

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

export const isInvalid = ({ failure }: FailedAnswer): boolean =>
  failure.class === 'invalid';
