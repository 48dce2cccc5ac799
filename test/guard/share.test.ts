/** Which questions are shared, alone and in a whole guard; on a clock that the test turns. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as realTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { failed, type Answer } from '../../src/answer';
import type { BreakerState } from '../../src/guard/breaker';
import { Deadline } from '../../src/lib/deadline';
import { Question } from '../../src/guard/question';
import { RemoteGuard, type RemoteGuardOptions } from '../../src/guard/remote-guard';
import { Shared } from '../../src/guard/share';
import { Turns } from '../../src/lib/turns';
import type { PermissionRequest } from '../../src/request';
import { type RemoteSource } from '../../src/sources/source';
import { allow } from '../../src/verdict';
import { ManualSource } from '../support/fake-source';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';

const TIMEOUT = 200;
/** Past the end of a time two turns of the event loop are waited for, see `settleWithin`. */
const TURNS = 10;

const options: RemoteGuardOptions = {
  timeout: TIMEOUT,
  concurrency: 2,
  queue: 2,
  circuitBreaker: {
    errorThreshold: 50,
    volumeThreshold: 1_000_000,
    rollingWindow: 10_000,
    resetTimeout: 1_000_000,
    distinctUsers: 1,
  },
};

const requestOf = (user: string, name: string): PermissionRequest => ({
  permission: { type: 'basic', name, attributes: {} },
  principal: { userEntityRef: user, ownershipEntityRefs: [user] },
});

const keyOf = ({ permission, principal }: PermissionRequest): string =>
  `${principal.userEntityRef} ${permission.name}`;

const textOf = (answer: Answer): string =>
  `${answer.kind === 'FAILED' ? answer.failure.code : answer.reason}${answer.shared ? ', shared' : ''}`;

let guard: RemoteGuard | undefined;
let shared: Shared;
const states: BreakerState[] = [];

function guardOf(source: RemoteSource, more: Partial<RemoteGuardOptions> = {}): void {
  shared = new Shared();
  guard = new RemoteGuard(
    source,
    { ...options, ...more },
    {
      breakerChanged: state => states.push(state),
      allCallsHang: () => {},
      batchChanged: () => {},
    },
    { shared },
  );
}

const ask = async (user: string, name: string, deadline = 10_000): Promise<string> =>
  textOf(
    await guard!.ask(requestOf(user, name), new Deadline(deadline), verdict => verdict),
  );

const pass = (milliseconds: number): Promise<void> =>
  jest.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => {
  states.length = 0;
  jest.useFakeTimers({ doNotFake: ['nextTick'] });
  // The guard asks how busy the process was; on a false clock, not at all.
  takeLoopForIdle();
});
afterEach(async () => {
  await guard?.close();
  guard = undefined;
  measureLoop();
  jest.useRealTimers();
});

describe('the shared questions', () => {
  const question = (): Question => new Question(TIMEOUT, false);
  const key = { who: 'dana', what: 'read' };

  it('are found by their key while they are open', () => {
    const all = new Shared();
    const one = question();
    all.add(key, one);
    expect(all.find({ ...key })).toBe(one);
    expect(all.find({ ...key, what: 'write' })).toBeUndefined();
    expect(all.find({ ...key, who: 'erin' })).toBeUndefined();
    expect(all.size).toBe(1);
  });

  it('are not found without a key, nor kept', () => {
    const all = new Shared();
    all.add(undefined, question());
    expect([all.find(undefined), all.size]).toEqual([undefined, 0]);
    all.remove(undefined, question());
  });

  it('are not found when no further caller may join them', async () => {
    const all = new Shared();
    const late = question();
    all.add(key, late);
    void late.wait(TIMEOUT);
    void late.put(() => new Promise(() => {}));
    await pass(TIMEOUT / 2);
    expect(all.find({ ...key })).toBe(late);
    await pass(1);
    expect([all.find({ ...key }), all.size]).toEqual([undefined, 1]);
  });

  it('are replaced by the latest with the same key, which the end of an earlier one leaves', () => {
    const all = new Shared();
    const [early, later] = [question(), question()];
    all.add(key, early);
    all.add(key, later);
    expect([all.find({ ...key }), all.size]).toEqual([later, 1]);
    all.remove({ ...key }, early);
    expect(all.find({ ...key })).toBe(later);
    all.remove({ ...key }, later);
    expect([all.find({ ...key }), all.size]).toEqual([undefined, 0]);
  });
});

describe('identical questions', () => {
  it('are put once; callers who join get the same answer, and it says that it is shared', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const asked = [ask('olivia', 'a'), ask('olivia', 'a')];
    await pass(50);
    asked.push(ask('olivia', 'a'));
    await pass(0);
    expect(source.questions).toHaveLength(1);
    source.questions[0]!.answer(allow('yes'));
    expect(await Promise.all(asked)).toEqual(['yes', 'yes, shared', 'yes, shared']);
    expect(shared.size).toBe(0);
  });

  it('take one slot and one place in the queue, however many ask', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source, { concurrency: 1, queue: 1 });
    const many = (name: string) =>
      Array.from({ length: 300 }, () => ask('olivia', name));
    const first = many('a');
    const second = many('b');
    expect(await ask('olivia', 'c')).toBe('QUEUE_FULL');
    await pass(0);
    source.questions[0]!.answer(allow('a'));
    await pass(0);
    source.questions[1]!.answer(allow('b'));
    // So many callers take turns.
    for (let turns = 0; turns < 3; turns++) await pass(1);
    expect(new Set(await Promise.all(first))).toEqual(new Set(['a', 'a, shared']));
    expect(new Set(await Promise.all(second))).toEqual(new Set(['b', 'b, shared']));
    expect(source.questions).toHaveLength(2);
  });

  it('whose answer many share take turns, so that they do not hold the event loop', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const taken = jest.spyOn(Turns.prototype, 'run');
    const all = Array.from({ length: 50 }, () => ask('olivia', 'a'));
    await pass(0);
    source.questions[0]!.answer(allow('a'));
    for (let turns = 0; turns < 3; turns++) await pass(1);
    await Promise.all(all);
    expect(taken).toHaveBeenCalledTimes(49);
    taken.mockRestore();
  });

  it('that come late are a new question, which the next callers share', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const first = ask('olivia', 'a');
    await pass(TIMEOUT / 2 + 1);
    const second = ask('olivia', 'a');
    await pass(0);
    expect(source.questions).toHaveLength(2);
    const third = ask('olivia', 'a');
    source.questions[0]!.answer(allow('old'));
    expect(await first).toBe('old');
    // The end of the old one must not hide the new one.
    const fourth = ask('olivia', 'a');
    source.questions[1]!.answer(allow('new'));
    expect(await Promise.all([second, third, fourth])).toEqual([
      'new',
      'new, shared',
      'new, shared',
    ]);
    expect(source.questions).toHaveLength(2);
    expect(shared.size).toBe(0);
  });

  it('after the answer are a new question: nothing is cached', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const first = ask('olivia', 'a');
    await pass(0);
    source.questions[0]!.answer(allow('before'));
    await first;
    const second = ask('olivia', 'a');
    await pass(0);
    source.questions[1]!.answer(allow('after'));
    expect(await second).toBe('after');
  });

  it('share a failure too, which the breaker counts once', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source, {
      circuitBreaker: { ...options.circuitBreaker, volumeThreshold: 2 },
    });
    const fail = async (name: string): Promise<string[]> => {
      const asked = Array.from({ length: 5 }, () => ask('olivia', name));
      await pass(0);
      source.questions.at(-1)!.answer(failed('unavailable', 'ECONNREFUSED', 'gone'));
      return Promise.all(asked);
    };
    const all = ['ECONNREFUSED', ...Array<string>(4).fill('ECONNREFUSED, shared')];
    expect(await fail('a')).toEqual(all);
    expect(states).toEqual([]);
    expect(await fail('b')).toEqual(all);
    expect(states).toEqual(['open']);
    expect(source.questions).toHaveLength(2);
  });

  it('that are not answered end for all at the end of the source’s time', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const first = ask('olivia', 'a');
    await pass(TIMEOUT / 2);
    const joined = ask('olivia', 'a');
    await pass(TIMEOUT / 2 + TURNS);
    expect(await Promise.all([first, joined])).toEqual(['TIMEOUT', 'TIMEOUT, shared']);
    expect(source.questions).toHaveLength(1);
    expect(source.questions[0]!.signal.aborted).toBe(true);
    source.questions[0]!.answer(allow('late'));
    await pass(0);
    expect(shared.size).toBe(0);
  });

  it('are not aborted while a caller waits, though another has left', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const hasty = ask('olivia', 'a', 120);
    const patient = ask('olivia', 'a');
    await pass(120 + TURNS);
    expect(await hasty).toBe('CUT_SHORT');
    expect(source.questions[0]!.signal.aborted).toBe(false);
    source.questions[0]!.answer(allow('yes'));
    expect(await patient).toBe('yes, shared');
  });

  it('are never put when the last caller has left the queue', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source, { concurrency: 1 });
    const first = ask('nolan', 'a');
    const waiting = [ask('olivia', 'a'), ask('olivia', 'a')];
    await pass(TIMEOUT / 2);
    for (const left of await Promise.all(waiting))
      expect(left).toMatch(/^NO_TIME_LEFT/);
    await pass(0);
    source.questions[0]!.answer(allow('yes'));
    await first;
    await pass(0);
    expect(source.questions.map(({ request }) => keyOf(request))).toEqual(['nolan a']);
    expect(shared.size).toBe(0);
  });

  it('are put for the caller who is left when the first has gone', async () => {
    const source = new ManualSource(keyOf);
    guardOf(source, { concurrency: 1 });
    const blocking = ask('nolan', 'a');
    const gone = ask('olivia', 'a', 110);
    await pass(5);
    const left = ask('olivia', 'a');
    await pass(10);
    expect(await gone).toBe('NO_TIME_LEFT');
    source.questions[0]!.answer(allow('yes'));
    await blocking;
    await pass(0);
    source.questions[1]!.answer(allow('also'));
    expect(await left).toBe('also, shared');
  });
});

describe('different questions', () => {
  type Asking = [user: string, name: string];
  it.each<[string, Asking, Asking]>([
    ['of another user', ['olivia', 'a'], ['nolan', 'a']],
    ['of another permission', ['olivia', 'a'], ['olivia', 'b']],
  ])('%s are each put by themselves', async (_what, first, second) => {
    const source = new ManualSource(keyOf);
    guardOf(source);
    const asked = [ask(...first), ask(...second)];
    await pass(0);
    for (const question of source.questions) {
      question.answer(allow(keyOf(question.request)));
    }
    expect(await Promise.all(asked)).toEqual([first.join(' '), second.join(' ')]);
  });

  it('without a key are never shared', async () => {
    const source = new ManualSource();
    guardOf(source);
    const asked = [ask('olivia', 'a'), ask('olivia', 'a')];
    await pass(0);
    expect(source.questions).toHaveLength(2);
    source.questions[0]!.answer(allow('first'));
    source.questions[1]!.answer(allow('second'));
    expect(await Promise.all(asked)).toEqual(['first', 'second']);
    expect(shared.size).toBe(0);
  });
});

describe('the async context', () => {
  const storage = new AsyncLocalStorage<string>();

  it('after the answer is each caller’s own; the question is put in that of its first caller', async () => {
    const manual = new ManualSource(keyOf);
    const putIn: Array<string | undefined> = [];
    guardOf(
      {
        prepare: request => {
          const prepared = manual.prepare(request);
          return {
            key: prepared.key,
            put: signal => {
              putIn.push(storage.getStore());
              return prepared.put(signal);
            },
          };
        },
        close: () => manual.close(),
      },
      { concurrency: 1, queue: 10 },
    );
    const after: Array<[string, string | undefined]> = [];
    const askIn = (store: string, name: string): Promise<unknown> =>
      storage.run(store, async () => {
        await ask('olivia', name);
        after.push([store, storage.getStore()]);
      });
    const asked = [
      askIn('1', 'a'),
      askIn('2', 'a'),
      askIn('3', 'b'),
      askIn('4', 'b'),
      askIn('5', 'c'),
    ];
    for (let question = 0; question < 3; question++) {
      await pass(0);
      manual.questions[question]!.answer(allow('yes'));
    }
    await Promise.all(asked);
    expect(putIn).toEqual(['1', '3', '5']);
    expect(after).toHaveLength(5);
    for (const [own, seen] of after) expect(seen).toBe(own);
  });
});

describe('nothing is left', () => {
  it('of 10,000 questions, some of which are answered, some fail and some are refused', async () => {
    jest.useRealTimers();
    let asked = 0;
    guardOf(
      {
        prepare: request => ({
          key: { who: '', what: keyOf(request) },
          put: async () => {
            asked++;
            await realTurn();
            return asked % 3 === 0 ? failed('invalid', 'HTTP_500', '') : allow('yes');
          },
        }),
        close: async () => {},
      },
      { timeout: 10_000, concurrency: 8, queue: 8 },
    );
    for (let round = 0; round < 500; round++) {
      await Promise.all(
        Array.from({ length: 20 }, (_, caller) =>
          ask(`user ${caller % 5}`, `name ${round} ${caller % 12}`),
        ),
      );
    }
    await realTurn();
    expect(asked).toBeGreaterThan(4000);
    expect(shared.size).toBe(0);
  });
});

/** One step of a history. */
type Step =
  | {
      readonly do: 'ask';
      readonly user: number;
      readonly name: number;
      deadline: number;
    }
  | { readonly do: 'pass'; readonly milliseconds: number }
  | { readonly do: 'answer'; readonly which: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      user: fc.nat(1),
      name: fc.nat(2),
      deadline: fc.constantFrom(10_000, 10_000, TIMEOUT * 0.75, TIMEOUT / 4),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      milliseconds: fc.constantFrom(0, 0, 1, 10, 30, TIMEOUT / 2),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(3) }),
  },
);

interface Caller {
  readonly key: string;
  readonly from: number;
  /** Milliseconds. */
  readonly arrived: number;
  readonly deadline: number;
  until: number;
  waited: number;
  got: string | undefined;
}

describe('whichever callers come and whenever they are answered', () => {
  it('each caller gets, in time, an answer to their own question given while they waited', async () => {
    let sharings = 0;
    const property = fc.asyncProperty(
      fc.array(anyStep, { minLength: 1, maxLength: 40, size: 'max' }),
      async steps => {
        const source = new ManualSource(keyOf);
        guardOf(source, { concurrency: 2, queue: 2 });
        const callers: Caller[] = [];
        /** By the number of a question: the step at which it was answered. */
        const answered = new Map<number, number>();
        let step = 0;

        const answer = (number: number): void => {
          answered.set(number, step);
          const question = source.questions[number]!;
          question.answer(allow(`${keyOf(question.request)} #${number}`));
        };
        const unanswered = (): number[] =>
          source.questions.flatMap((_, number) => (answered.has(number) ? [] : number));

        const take = async (now: Step): Promise<void> => {
          if (now.do === 'pass') return pass(now.milliseconds);
          if (now.do === 'answer') {
            const open = unanswered();
            if (open.length > 0) answer(open[now.which % open.length]!);
            return pass(0);
          }
          const [user, name] = [`user${now.user}`, `name${now.name}`];
          const caller: Caller = {
            key: `${user} ${name}`,
            from: step,
            arrived: performance.now(),
            deadline: now.deadline,
            until: Infinity,
            waited: Infinity,
            got: undefined,
          };
          callers.push(caller);
          void ask(user, name, now.deadline).then(got => {
            caller.got = got;
            caller.until = step;
            caller.waited = performance.now() - caller.arrived;
          });
          // Without a turn of the loop, so that several come in the same moment.
        };

        for (const now of steps) {
          step++;
          await take(now);
          expect(unanswered().length).toBeLessThanOrEqual(options.concurrency);
        }
        // Every caller has been answered when their time is over, whatever the source does.
        step++;
        await pass(2 * TIMEOUT);
        for (const caller of callers) expect(caller.got).toBeDefined();
        // It lets go of what it was asked, and with that nothing is left.
        for (let rest = 0; rest < steps.length && unanswered().length > 0; rest++) {
          for (const number of unanswered()) answer(number);
          await pass(0);
        }
        expect(shared.size).toBe(0);
        await guard?.close();
        expect(jest.getTimerCount()).toBe(0);

        for (const { key, got, from, until, waited, deadline } of callers) {
          expect(waited).toBeLessThanOrEqual(Math.min(TIMEOUT, deadline) + TURNS);
          const [, itsKey, number] = /^(.*) #(\d+)(?:, shared)?$/.exec(got!) ?? [];
          if (number === undefined) {
            expect(got).toMatch(
              /^(QUEUE_FULL|NO_TIME_LEFT|CUT_SHORT|TIMEOUT|HUNG)(, shared)?$/,
            );
            continue;
          }
          if (got!.endsWith(', shared')) sharings++;
          expect(itsKey).toBe(key);
          expect(answered.get(Number(number))).toBeGreaterThanOrEqual(from);
          expect(answered.get(Number(number))).toBeLessThanOrEqual(until);
        }
      },
    );
    await fc.assert(property, { numRuns: 300 });
    // The property has said something about sharing.
    expect(sharings).toBeGreaterThan(100);
  });
});
