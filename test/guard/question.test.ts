/** One question, its callers, and the time of each; on a clock that the test turns. */
import type { Answer } from '../../src/answer';
import { Question } from '../../src/guard/question';
import { allow } from '../../src/verdict';

const TIMEOUT = 200;
/** Past the end of a time two turns of the event loop are waited for, see `settleWithin`. */
const TURNS = 10;
const YES: Answer = allow('yes');

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(async () => {
  await pass(TURNS);
  // Whatever came of the callers, nothing of them is left.
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const pass = (milliseconds: number): Promise<void> =>
  jest.advanceTimersByTimeAsync(milliseconds);

/** A question that is put and answered when the test says so. */
class Asked {
  readonly question: Question;
  /** What each caller got, once they got it. */
  readonly got: Record<string, string> = {};
  /** Whose answer is marked as that to another's question. */
  readonly shared: string[] = [];
  timesPut = 0;
  private answerIt: (answer: Answer) => void = () => {};

  constructor({ queued = false } = {}) {
    this.question = new Question(TIMEOUT, queued);
  }

  wait(name: string, patience = TIMEOUT): void {
    void this.question.wait(patience).then(answer => {
      if (answer.shared) this.shared.push(name);
      this.got[name] = answer.kind === 'FAILED' ? answer.failure.code : answer.reason;
    });
  }

  put(): void {
    void this.question.put(() => {
      this.timesPut++;
      return new Promise(answer => (this.answerIt = answer));
    });
  }

  async answer(answer: Answer): Promise<void> {
    this.answerIt(answer);
    await pass(0);
  }
}

describe('the answer', () => {
  it('goes to all who wait, before and after it is put, for one question', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('first');
    asked.wait('second');
    asked.put();
    asked.wait('third');
    await pass(TIMEOUT / 2);
    asked.wait('fourth');
    expect(asked.got).toEqual({});
    await asked.answer(YES);
    expect(asked.got).toEqual({
      first: 'yes',
      second: 'yes',
      third: 'yes',
      fourth: 'yes',
    });
    expect(asked.timesPut).toBe(1);
    expect(asked.shared.sort()).toEqual(['fourth', 'second', 'third']);
  });

  it('of one who left before it was put is shared with nobody', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('first');
    asked.wait('second');
    await pass(TIMEOUT / 2);
    asked.put();
    await pass(0);
    expect(asked.got).toEqual({ first: 'NO_TIME_LEFT', second: 'NO_TIME_LEFT' });
    expect(asked.shared).toEqual([]);
  });

  it('that is a failure goes to all as well', async () => {
    const asked = new Asked();
    asked.wait('first');
    asked.put();
    asked.wait('second');
    await asked.answer({
      kind: 'FAILED',
      failure: { class: 'unavailable', code: 'ECONNREFUSED', message: 'gone' },
    });
    expect(asked.got).toEqual({ first: 'ECONNREFUSED', second: 'ECONNREFUSED' });
  });
});

it('that cannot be put fails for all who wait', async () => {
  const question = new Question(TIMEOUT, false);
  const callers = [question.wait(TIMEOUT), question.wait(TIMEOUT)];
  await question.put(() => Promise.reject(new TypeError('no')));
  for (const answer of await Promise.all([...callers]))
    expect(answer).toMatchObject({ failure: { class: 'invalid', code: 'THREW' } });
});

describe('a question is open to further callers', () => {
  it('until half of the source’s time is over', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('first');
    await pass(TIMEOUT / 2 - 1);
    expect(asked.question.open).toBe(true);
    asked.put();
    await pass(TIMEOUT / 2);
    expect(asked.question.open).toBe(true);
    await pass(1);
    expect(asked.question.open).toBe(false);
    await asked.answer(YES);
  });

  it('until it is answered', async () => {
    const asked = new Asked();
    asked.wait('first');
    asked.put();
    expect(asked.question.open).toBe(true);
    await asked.answer(YES);
    expect(asked.question.open).toBe(false);
  });
});

describe('a caller in the queue', () => {
  it('leaves when half of the timeout is over, and takes the question from nobody', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('early');
    await pass(50);
    asked.wait('later');
    await pass(50);
    expect(asked.got).toEqual({ early: 'NO_TIME_LEFT' });
    expect(asked.question.open).toBe(true);
    asked.put();
    await asked.answer(YES);
    expect(asked.got).toEqual({ early: 'NO_TIME_LEFT', later: 'yes' });
  });

  it('leaves by their own patience', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('patient');
    asked.wait('hasty', TIMEOUT / 2 + 10);
    await pass(10);
    expect(asked.got).toEqual({ hasty: 'NO_TIME_LEFT' });
    asked.put();
    await asked.answer(YES);
    expect(asked.got.patient).toBe('yes');
  });

  it('that is the last one takes the question along: it is never put', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('first');
    asked.wait('second');
    await pass(TIMEOUT / 2);
    expect(asked.got).toEqual({ first: 'NO_TIME_LEFT', second: 'NO_TIME_LEFT' });
    expect(asked.question.open).toBe(false);
    asked.put();
    expect(asked.timesPut).toBe(0);
  });

  it('is turned away when it is put, if a stall has used up their time', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('early');
    await pass(10);
    asked.wait('later');
    // The time passes, but the timers have not run yet.
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + TIMEOUT / 2 - 5);
    asked.put();
    await pass(0);
    expect(asked.got).toEqual({ early: 'NO_TIME_LEFT' });
    expect(asked.timesPut).toBe(1);
    clock.mockRestore();
    await asked.answer(YES);
    expect(asked.got.later).toBe('yes');
  });

  it('all of whom a stall has made too late have it never put', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('first');
    asked.wait('second');
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + TIMEOUT);
    asked.put();
    clock.mockRestore();
    await pass(0);
    expect(asked.got).toEqual({ first: 'NO_TIME_LEFT', second: 'NO_TIME_LEFT' });
    expect(asked.timesPut).toBe(0);
    expect(asked.question.open).toBe(false);
  });
});

describe('a caller with less time than the source', () => {
  it('is cut short, while the others get the answer', async () => {
    const asked = new Asked();
    asked.wait('hasty', 120);
    asked.wait('patient');
    asked.put();
    await pass(119);
    expect(asked.got).toEqual({});
    await pass(TURNS);
    expect(asked.got).toEqual({ hasty: 'CUT_SHORT' });
    await asked.answer(YES);
    expect(asked.got).toEqual({ hasty: 'CUT_SHORT', patient: 'yes' });
  });

  it('by the queue is cut short at the end of their own time', async () => {
    const asked = new Asked({ queued: true });
    asked.wait('queued');
    await pass(80);
    asked.put();
    await pass(119);
    expect(asked.got).toEqual({});
    await pass(TURNS);
    expect(asked.got).toEqual({ queued: 'CUT_SHORT' });
    await asked.answer(YES);
  });

  it('who comes while it is under way is cut short as well', async () => {
    const asked = new Asked();
    asked.wait('first');
    asked.put();
    await pass(50);
    asked.wait('hasty', 100);
    await pass(99);
    expect(asked.got).toEqual({});
    await pass(TURNS);
    expect(asked.got).toEqual({ hasty: 'CUT_SHORT' });
    await asked.answer(YES);
    expect(asked.got.first).toBe('yes');
  });

  it('who comes with more time than the source has left waits for it', async () => {
    const asked = new Asked();
    asked.wait('first');
    asked.put();
    await pass(100);
    asked.wait('joiner', 100);
    await pass(100 + TURNS);
    // Whoever puts the question ends it.
    expect(asked.got).toEqual({});
    await asked.answer(YES);
    expect(asked.got).toEqual({ first: 'yes', joiner: 'yes' });
  });
});
