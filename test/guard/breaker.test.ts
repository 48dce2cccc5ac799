/** When the circuit breaker opens and closes, alone and in a guard. */
import { setImmediate as turn } from 'node:timers/promises';
import { failed, type Answer } from '../../src/answer';
import {
  CircuitBreaker,
  type BreakerState,
  type CircuitBreakerOptions,
} from '../../src/guard/breaker';
import type { PermissionRequest } from '../../src/request';
import type { RemoteSource } from '../../src/sources/source';
import { allow, deny, notApplicable } from '../../src/verdict';
import { pass, resumeClock, stopClock } from '../support/clock';
import { ManualSource, sourceOf } from '../support/fake-source';
import {
  closeGuards,
  guardOf,
  outcome,
  TESTED,
  withBreaker,
  type TestedGuard,
} from '../support/guard';

const unavailable = failed('unavailable', 'ECONNREFUSED', 'gone');
const overloaded = failed('overloaded', 'HTTP_429', 'too many');
const invalid = failed('invalid', 'HTTP_500', 'broken');

const RESET = 50;
const OLIVIA = 'user:default/olivia';
const NOLAN = 'user:default/nolan';

beforeEach(() => stopClock());
afterEach(async () => {
  await closeGuards();
  for (const breaker of breakers.splice(0)) breaker.close();
  // A closed breaker leaves nothing that would keep the process alive.
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

const breakers: CircuitBreaker[] = [];

function breakerOf(changes: Partial<CircuitBreakerOptions> = {}) {
  const states: BreakerState[] = [];
  const breaker = new CircuitBreaker(
    {
      errorThreshold: 50,
      volumeThreshold: 2,
      rollingWindow: 10_000,
      resetTimeout: RESET,
      distinctUsers: 1,
      ...changes,
    },
    state => states.push(state),
  );
  breakers.push(breaker);
  const fire = (answer: Answer, user = OLIVIA): Promise<Answer> =>
    breaker.fire(async () => answer, user);
  return { breaker, fire, states };
}

const codeOf = (answer: Answer): string =>
  answer.kind === 'FAILED' ? answer.failure.code : answer.kind;

describe('a breaker', () => {
  it.each<[what: string, answer: Answer]>([
    ['an ALLOW', allow('yes')],
    ['a DENY', deny('no')],
    ['an abstention', notApplicable('not mine')],
    ['an invalid answer', invalid],
    ['an overload', overloaded],
  ])('is not opened by %s, and passes it on', async (_what, answer) => {
    const { breaker, fire, states } = breakerOf();
    for (let round = 0; round < 10; round++) {
      expect(await fire(answer)).toBe(answer);
      expect(breaker.refuses).toBe(false);
    }
    expect(states).toEqual([]);
  });

  it('opens at the volume threshold if more than the error threshold failed', async () => {
    const { breaker, fire, states } = breakerOf({ volumeThreshold: 3 });
    for (const answer of [unavailable, unavailable]) {
      expect(await fire(answer)).toBe(answer);
      expect([breaker.refuses, states]).toEqual([false, []]);
    }
    expect(await fire(unavailable)).toBe(unavailable);
    expect([breaker.refuses, states]).toEqual([true, ['open']]);
  });

  it('stays closed while no more than the error threshold failed', async () => {
    const { fire, states } = breakerOf({ errorThreshold: 50, volumeThreshold: 2 });
    for (let round = 0; round < 5; round++) {
      await fire(allow('yes'));
      await fire(unavailable);
    }
    expect(states).toEqual([]);
    await fire(unavailable);
    expect(states).toEqual(['open']);
  });

  it('forgets what failed before the rolling window', async () => {
    const { fire, states } = breakerOf({ rollingWindow: 1000 });
    await fire(unavailable);
    await pass(1100);
    await fire(unavailable);
    expect(states).toEqual([]);
    await fire(unavailable);
    expect(states).toEqual(['open']);
  });

  it('that is open asks nothing until the reset timeout is over', async () => {
    const { breaker, fire, states } = breakerOf({ volumeThreshold: 1 });
    await fire(unavailable);
    const ask = jest.fn(async () => allow('yes'));
    for (const milliseconds of [0, RESET - 1]) {
      await pass(milliseconds);
      expect(breaker.refuses).toBe(true);
      expect(await breaker.fire(ask, OLIVIA)).toEqual(
        failed('unavailable', 'BREAKER_OPEN', 'the circuit breaker is open'),
      );
    }
    expect(ask).not.toHaveBeenCalled();
    await pass(1);
    expect([breaker.refuses, states]).toEqual([false, ['open', 'half-open']]);
  });

  it('that is half open refuses all but its one probe', async () => {
    const { breaker, fire, states } = breakerOf({ volumeThreshold: 1 });
    await fire(unavailable);
    await pass(RESET);
    let answer: (answer: Answer) => void = () => {};
    const probe = breaker.fire(
      () => new Promise<Answer>(resolve => (answer = resolve)),
      OLIVIA,
    );
    expect(breaker.refuses).toBe(true);
    expect(codeOf(await fire(allow('yes')))).toBe('BREAKER_OPEN');
    answer(deny('back'));
    expect(await probe).toEqual(deny('back'));
    expect([breaker.refuses, states]).toEqual([false, ['open', 'half-open', 'closed']]);
  });

  it.each<[what: string, probe: Answer, state: BreakerState]>([
    ['is closed by an answer', deny('back'), 'closed'],
    ['is closed by an invalid answer, which is an answer', invalid, 'closed'],
    ['is opened by an outage', unavailable, 'open'],
    ['is opened by an overload, which says nothing of the source', overloaded, 'open'],
  ])('that is half open %s', async (_what, probe, state) => {
    const { fire, states } = breakerOf({ volumeThreshold: 1 });
    await fire(unavailable);
    await pass(RESET);
    expect(await fire(probe)).toBe(probe);
    expect(states).toEqual(['open', 'half-open', state]);
  });

  it.each<[how: string, ask: () => Promise<Answer>]>([
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
  ])('does not reject where the question %s', async (_how, ask) => {
    const answer = await breakerOf().breaker.fire(ask, OLIVIA);
    expect(codeOf(answer)).toBe('INTERNAL');
    expect(JSON.stringify(answer)).not.toContain('secret');
  });
});

describe('a breaker that needs several users', () => {
  const anonymous = undefined;
  const fireAll = async (
    breaker: CircuitBreaker,
    ...users: Array<string | undefined>
  ): Promise<void> => {
    for (const user of users) await breaker.fire(async () => unavailable, user);
  };

  it('stays closed, and says nothing, while the questions of one user fail', async () => {
    const { breaker, fire, states } = breakerOf({ distinctUsers: 2 });
    for (let round = 0; round < 20; round++) {
      expect(await fire(unavailable)).toBe(unavailable);
      expect(breaker.refuses).toBe(false);
    }
    await pass(10 * RESET);
    expect([breaker.refuses, states]).toEqual([false, []]);
  });

  it('opens at the failure of the second', async () => {
    const { breaker, states } = breakerOf({ distinctUsers: 2 });
    await fireAll(breaker, OLIVIA, OLIVIA, OLIVIA, NOLAN);
    expect([breaker.refuses, states]).toEqual([true, ['open']]);
  });

  it('counts all who are anonymous as one user', async () => {
    const { breaker, states } = breakerOf({ distinctUsers: 2 });
    await fireAll(breaker, anonymous, anonymous, anonymous);
    expect(states).toEqual([]);
    await fireAll(breaker, OLIVIA);
    expect(states).toEqual(['open']);
  });

  it('does not count a user who was answered', async () => {
    const { breaker, fire, states } = breakerOf({
      distinctUsers: 2,
      errorThreshold: 1,
    });
    for (const answer of [allow('yes'), invalid, overloaded]) await fire(answer, NOLAN);
    await fireAll(breaker, OLIVIA, OLIVIA, OLIVIA);
    expect(states).toEqual([]);
  });

  it('forgets who failed before the rolling window', async () => {
    const { breaker, states } = breakerOf({ distinctUsers: 3, rollingWindow: 1000 });
    await fireAll(breaker, NOLAN, OLIVIA);
    await pass(600);
    await fireAll(breaker, OLIVIA);
    await pass(600);
    await fireAll(breaker, 'user:default/third');
    expect(states).toEqual([]);
    await fireAll(breaker, NOLAN);
    expect(states).toEqual(['open']);
  });

  it('forgets who failed before it closed', async () => {
    const { breaker, fire, states } = breakerOf({ distinctUsers: 2 });
    await fireAll(breaker, OLIVIA, NOLAN);
    await pass(RESET);
    await fire(allow('back'));
    await fireAll(breaker, OLIVIA, OLIVIA, OLIVIA);
    expect(states).toEqual(['open', 'half-open', 'closed']);
    await fireAll(breaker, NOLAN);
    expect(states.at(-1)).toBe('open');
  });

  it('is opened again by its probe, whoever asks', async () => {
    const { breaker, states } = breakerOf({ distinctUsers: 2 });
    await fireAll(breaker, OLIVIA, NOLAN);
    await pass(RESET);
    await fireAll(breaker, OLIVIA);
    expect([breaker.refuses, states]).toEqual([true, ['open', 'half-open', 'open']]);
  });
});

describe('a guard', () => {
  const asking = (user: string): PermissionRequest => ({
    ...TESTED,
    principal: { userEntityRef: user, ownershipEntityRefs: [] },
  });

  it('answers the others while the questions of one user hang', async () => {
    const source = sourceOf(async ({ principal }) =>
      principal.userEntityRef === NOLAN ? unavailable : allow('yes'),
    );
    const ask = (guard: TestedGuard, user: string): Promise<string> =>
      guard.ask(10_000, 'fail-closed', asking(user)).then(outcome);
    const settings = { volumeThreshold: 2, errorThreshold: 50 };
    const shared = guardOf(source, withBreaker(settings));
    const limited = guardOf(source, withBreaker({ ...settings, distinctUsers: 2 }));
    for (const guard of [shared, limited]) {
      for (let round = 0; round < 5; round++) await ask(guard, NOLAN);
    }
    expect(await ask(shared, OLIVIA)).toBe('DENY unavailable BREAKER_OPEN');
    expect(await ask(limited, OLIVIA)).toBe('ALLOW');
    expect([shared.states, limited.states]).toEqual([['open'], []]);
  });

  const failing = (answers: { failing: boolean; asked: number }): RemoteSource =>
    sourceOf(async () => {
      answers.asked++;
      return answers.failing ? unavailable : allow('back');
    });

  it('asks nothing while its breaker is open, and closes it by one probe', async () => {
    const answers = { failing: true, asked: 0 };
    const { ask, states } = guardOf(
      failing(answers),
      withBreaker({ volumeThreshold: 3 }),
    );
    for (let round = 0; round < 3; round++) {
      expect(outcome(await ask())).toBe('ALLOW unavailable ECONNREFUSED');
    }
    expect(states).toEqual(['open']);
    expect(outcome(await ask(10_000, 'fail-closed'))).toBe(
      'DENY unavailable BREAKER_OPEN',
    );
    expect(answers.asked).toBe(3);
    answers.failing = false;
    await pass(RESET);
    expect(states).toEqual(['open', 'half-open']);
    expect(outcome(await ask())).toBe('ALLOW');
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  it('opens its breaker again when the probe fails', async () => {
    const { ask, states } = guardOf(
      failing({ failing: true, asked: 0 }),
      withBreaker({ volumeThreshold: 1 }),
    );
    await ask();
    await pass(RESET);
    await ask();
    expect(states).toEqual(['open', 'half-open', 'open']);
  });

  it('lets one probe through while its breaker is half open, and refuses the others', async () => {
    const source = new ManualSource();
    const { ask } = guardOf(source, withBreaker({ volumeThreshold: 1 }));
    const first = ask();
    await turn();
    source.questions[0]!.answer(unavailable);
    await first;
    await pass(RESET);
    const probe = ask();
    await turn();
    expect(outcome(await ask())).toBe('ALLOW unavailable BREAKER_OPEN');
    expect(source.questions).toHaveLength(2);
    source.questions[1]!.answer(allow('back'));
    expect(outcome(await probe)).toBe('ALLOW');
  });

  it('does not open its breaker on invalid answers, nor close it by an overload as its probe', async () => {
    const source = new ManualSource();
    const { ask, states } = guardOf(source, withBreaker({ volumeThreshold: 1 }));
    const answerNext = async (answer: Answer): Promise<string> => {
      const asked = ask();
      await turn();
      source.questions.at(-1)!.answer(answer);
      return outcome(await asked);
    };
    for (let round = 0; round < 5; round++) {
      expect(await answerNext(invalid)).toBe('DENY invalid HTTP_500');
    }
    expect(states).toEqual([]);
    for (let round = 0; round < 6; round++) await answerNext(unavailable);
    await pass(RESET);
    expect(await answerNext(overloaded)).toBe('DENY overloaded HTTP_429');
    expect(states).toEqual(['open', 'half-open', 'open']);
  });

  it('does not close a half-open breaker by an overload that was put before it opened', async () => {
    const source = new ManualSource();
    const { ask, states } = guardOf(source, {
      timeout: 5000,
      concurrency: 3,
      ...withBreaker({ volumeThreshold: 1 }),
    });
    const [old, ...failing] = [ask(), ask(), ask()];
    await turn();
    for (const question of source.questions.slice(1)) question.answer(unavailable);
    await Promise.all(failing);
    await pass(RESET);
    source.questions[0]!.answer(overloaded);
    expect(outcome(await old)).toBe('DENY overloaded HTTP_429');
    expect(states).toEqual(['open', 'half-open', 'open']);
  });
});
