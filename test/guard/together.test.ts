/** Questions of one user in one request: what goes together, and what becomes of each. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { failed, type Answer } from '../../src/answer';
import type { Askable } from '../../src/guard/guard';
import {
  RemoteGuard,
  type GuardObserver,
  type RemoteGuardOptions,
} from '../../src/guard/remote-guard';
import { Shared } from '../../src/guard/share';
import { Deadline } from '../../src/lib/deadline';
import { eventLoop } from '../../src/lib/event-loop';
import type { PermissionRequest } from '../../src/request';
import type { BatchAnswer } from '../../src/sources/source';
import { allow, deny, type OnUnavailable } from '../../src/verdict';
import { answers, ManualBatches, question, questionOf } from '../support/batch-source';
import { pass, resumeClock, stopClock } from '../support/clock';
import {
  atOnce,
  closeGuards,
  guardOf,
  OPTIONS,
  outcome,
  withBreaker,
} from '../support/guard';

const TIMEOUT = 200;
const LATE = TIMEOUT / 4;

beforeEach(() => stopClock());
afterEach(async () => {
  await closeGuards();
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

const conflict = failed('invalid', 'HTTP_500', 'OPA answered HTTP 500');
const refused = failed('unavailable', 'ECONNREFUSED', 'no connection');
const limited = failed('overloaded', 'HTTP_429', 'OPA answered HTTP 429');

function tested(changes: Partial<RemoteGuardOptions> = {}, maxBytes?: number) {
  const source = new ManualBatches(maxBytes);
  const { ask: askGuard, ...rest } = guardOf(source, {
    concurrency: 64,
    queue: 256,
    ...changes,
  });
  /** Asks these, all of one user unless they are requests, in one turn of the event loop. */
  const ask = async (
    asked: ReadonlyArray<string | PermissionRequest>,
    { deadline = 10_000, mode }: { deadline?: number; mode?: OnUnavailable } = {},
  ) => {
    const put = asked.map(each =>
      askGuard(deadline, mode, typeof each === 'string' ? question(each) : each),
    );
    await turn();
    return put;
  };
  return { source, ask, askGuard, ...rest };
}

const outcomes = async (
  asked: ReadonlyArray<ReturnType<ReturnType<typeof guardOf>['ask']>>,
): Promise<string[]> => (await Promise.all(asked)).map(outcome);

const names = (count: number, prefix = 'q'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const sizes = ({ batches }: ManualBatches): number[] =>
  batches.map(({ requests }) => requests.length);

describe('what goes together', () => {
  it('are the questions of one turn, in the order in which they were asked', async () => {
    const { source, ask } = tested();
    const asked = await ask(['a', 'b', 'c']);
    const later = await ask(['d', 'e']);
    expect(source.asked).toEqual(['[a b c]', '[d e]']);
    source.batches[1]!.answer(answers('DENY', 'ALLOW'));
    source.batches[0]!.answer(answers('ALLOW', 'DENY', 'ALLOW'));
    expect(await outcomes(asked)).toEqual(['ALLOW', 'DENY', 'ALLOW']);
    expect(await outcomes(later)).toEqual(['DENY', 'ALLOW']);
  });

  it('is never more than one user', async () => {
    const { source, ask } = tested();
    const asked = await ask([
      questionOf('dana', 'a'),
      questionOf('olivia', 'a'),
      questionOf('dana', 'b'),
      questionOf('olivia', 'b'),
      questionOf('nolan', 'a'),
    ]);
    expect(source.asked).toEqual(['[a b]', '[a b]', 'a']);
    for (const { requests } of source.batches)
      expect(
        new Set(requests.map(({ principal }) => principal.userEntityRef)).size,
      ).toBe(1);
    source.batches[0]!.answer(answers('ALLOW', 'ALLOW'));
    source.batches[1]!.answer(answers('DENY', 'DENY'));
    source.questions[0]!.answer(deny(''));
    expect(await outcomes(asked)).toEqual(['ALLOW', 'DENY', 'ALLOW', 'DENY', 'DENY']);
  });

  it('does not count a single question, which is put as ever', async () => {
    const { source, ask } = tested();
    const asked = await ask(['a']);
    expect(source.asked).toEqual(['a']);
    source.alone('a').answer(deny(''));
    expect(await outcomes(asked)).toEqual(['DENY']);
  });

  it('is put in the async context of one of them', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { source, askGuard } = tested({ concurrency: 1, queue: 100 });
    const seen: Array<[string | undefined, string | undefined]> = [];
    source.onPut = put => {
      for (const { principal } of put)
        seen.push([storage.getStore(), principal.userEntityRef]);
      if (put.length > 1) source.batches.at(-1)!.answer(conflict);
      else source.questions.at(-1)!.answer(deny(''));
    };
    const users = ['dana', 'olivia', 'nolan'];
    const asked = Array.from({ length: 30 }, (_, index) => {
      const own = questionOf(users[index % 3]!, `q${index}`);
      return storage.run(own.principal.userEntityRef!, () =>
        askGuard(undefined, undefined, own),
      );
    });
    expect(await outcomes(asked)).toEqual(Array<string>(30).fill('DENY'));
    // Each by itself, and most in a batch that conflicts before.
    expect(seen.length - source.questions.length).toBeGreaterThan(10);
    expect(source.questions).toHaveLength(30);
    for (const [context, user] of seen) expect(context).toBe(user);
  });

  it('is at most 100 questions', async () => {
    const { source, ask } = tested();
    const asked = await ask(names(201));
    expect(sizes(source)).toEqual([100, 100]);
    expect(source.questions).toHaveLength(1);
    source.questions[0]!.answer(allow(''));
    for (const each of source.batches)
      each.answer(answers(...each.requests.map(() => 'DENY' as const)));
    expect(await outcomes(asked)).toEqual([
      ...Array<string>(200).fill('DENY'),
      'ALLOW',
    ]);
  });

  it('is at most so many bytes; a question that is larger goes alone', async () => {
    const { source, ask } = tested({}, 600);
    const long = 'x'.repeat(600);
    const asked = await ask(['a', 'b', 'c', 'd', long, 'e']);
    expect(source.asked).toEqual(['[a b c d]', long, 'e']);
    source.batches[0]!.answer(answers('DENY', 'DENY', 'DENY', 'DENY'));
    for (const each of source.questions) each.answer(allow(''));
    expect(await outcomes(asked)).toEqual([
      ...Array<string>(4).fill('DENY'),
      'ALLOW',
      'ALLOW',
    ]);
  });
  it.each([
    [2, ['[a b]', '[c d]']],
    [3, ['[a b c]', 'd']],
  ])('is counted with an id for each: %i', async (count, expected) => {
    const own = Buffer.byteLength(JSON.stringify(question('a').permission)) + 64;
    for (const [maxBytes, isEnough] of [
      [count * own, true],
      [count * own - 1, false],
    ] as const) {
      const { source, ask } = tested({}, maxBytes);
      const asked = await ask(['a', 'b', 'c', 'd']);
      expect(isDeepStrictEqual(source.asked, expected)).toBe(isEnough);
      for (const each of source.batches)
        each.answer(answers(...each.requests.map(() => 'DENY' as const)));
      for (const each of source.questions) each.answer(deny(''));
      expect(await outcomes(asked)).toEqual(Array<string>(4).fill('DENY'));
    }
  });
});

describe('a request with several questions', () => {
  it('takes one slot, and one place in the queue', async () => {
    const { source, ask, guard } = tested({ concurrency: 1, queue: 1 });
    const first = await ask(['a', 'b']);
    const second = await ask(['c', 'd']);
    expect(guard.status().remote).toMatchObject({ inFlight: 1, queued: 1 });
    expect(await outcomes(await ask(['e', 'f']))).toEqual(
      Array(2).fill('DENY overloaded QUEUE_FULL'),
    );
    source.batches[0]!.answer(answers('DENY', 'DENY'));
    await outcomes(first);
    await turn();
    expect(source.asked).toEqual(['[a b]', '[c d]']);
    source.batches[1]!.answer(answers('ALLOW', 'ALLOW'));
    expect(await outcomes(second)).toEqual(['ALLOW', 'ALLOW']);
    expect(guard.status().remote).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it('finds the queue full at the end of the turn: overloaded', async () => {
    const { source, ask } = tested({ concurrency: 1, queue: 0 });
    const asked = await ask([
      questionOf('dana', 'a'),
      questionOf('dana', 'b'),
      questionOf('olivia', 'a'),
      questionOf('olivia', 'b'),
    ]);
    source.batches[0]!.answer(answers('DENY', 'DENY'));
    expect(await outcomes(asked)).toEqual([
      'DENY',
      'DENY',
      'DENY overloaded QUEUE_FULL',
      'DENY overloaded QUEUE_FULL',
    ]);
    expect(source.batches).toHaveLength(1);
  });

  it('is put without those whose callers have left', async () => {
    const { source, ask, askGuard } = tested({ concurrency: 1 });
    const first = await ask(['a', 'b']);
    const impatient = askGuard(TIMEOUT / 2 + 10, 'fail-open', question('c'));
    const patient = await ask(['d', 'e']);
    await pass(10);
    expect(await atOnce(impatient)).toBe('DENY overloaded NO_TIME_LEFT');
    source.batches[0]!.answer(answers('DENY', 'DENY'));
    await outcomes(first);
    await turn();
    expect(source.asked).toEqual(['[a b]', '[d e]']);
    source.batches[1]!.answer(answers('ALLOW', 'DENY'));
    expect(await outcomes(patient)).toEqual(['ALLOW', 'DENY']);
  });

  it('is a plain one if one question is left of it, and none if no question is', async () => {
    const { source, ask, askGuard } = tested({ concurrency: 1 });
    const first = await ask(['a', 'b']);
    const left = [
      askGuard(TIMEOUT / 2 + 10, 'fail-open', question('c')),
      ...(await ask(['d'])),
    ];
    const gone = await ask(['e', 'f'], { deadline: TIMEOUT / 2 + 10 });
    await pass(10);
    source.batches[0]!.answer(answers('DENY', 'DENY'));
    await outcomes(first);
    await turn();
    expect(source.asked).toEqual(['[a b]', 'd']);
    source.alone('d').answer(allow(''));
    expect(await outcomes(left)).toEqual(['DENY overloaded NO_TIME_LEFT', 'ALLOW']);
    expect(await outcomes(gone)).toEqual(Array(2).fill('DENY overloaded NO_TIME_LEFT'));
    await turn();
    expect(source.asked).toHaveLength(2);
  });

  it.each([
    ['is not', [], 'ALLOW unavailable TIMEOUT'],
    ['is', ['w', 'x', 'y', 'z'], 'DENY overloaded CUT_SHORT'],
  ])(
    'that %s queued: the turn in which it was gathered takes no time from the source',
    async (_name, before, expected) => {
      const { source, ask, askGuard } = tested({ concurrency: before.length || 64 });
      const others = await Promise.all(
        before.map(name => ask([questionOf(name, 'a'), questionOf(name, 'b')])),
      );
      const asked = ['a', 'b'].map(name =>
        askGuard(undefined, 'fail-open', question(name)),
      );
      jest.advanceTimersByTime(3);
      await turn();
      for (const each of source.batches.slice(0, before.length))
        each.answer(answers('DENY', 'DENY'));
      await Promise.all(others.flat());
      await turn();
      expect(source.batches).toHaveLength(before.length + 1);
      await pass(LATE);
      await turn();
      expect(source.asked.slice(-2)).toEqual(['a', 'b']);
      await pass(TIMEOUT);
      expect(await outcomes(asked)).toEqual([expected, expected]);
      await pass(TIMEOUT);
    },
  );

  it('is cut short for each caller at its own deadline, as overload', async () => {
    const { source, askGuard, ask } = tested();
    const short = askGuard(150, 'fail-open', question('a'));
    const [long] = await ask(['b']);
    expect(source.asked).toEqual(['[a b]']);
    await pass(150);
    expect(await atOnce(short)).toBe('DENY overloaded CUT_SHORT');
    expect(await atOnce(long!)).toBe('not at once');
    source.batches[0]!.answer(answers('DENY', 'DENY'));
    expect(outcome(await long!)).toBe('DENY');
    await pass(TIMEOUT);
  });

  it('serves an identical question that is asked later', async () => {
    const { source, ask } = tested();
    const first = await ask(['a', 'b']);
    const later = await ask(['b', 'c']);
    expect(source.asked).toEqual(['[a b]', 'c']);
    source.alone('c').answer(allow(''));
    source.batches[0]!.answer(answers('ALLOW', 'DENY'));
    expect(await outcomes(first)).toEqual(['ALLOW', 'DENY']);
    expect(await outcomes(later)).toEqual(['DENY', 'ALLOW']);
    expect(await later[0]!).toMatchObject({ shared: true });
    // It is over, so the next one is put again.
    const again = await ask(['b']);
    source.alone('b').answer(allow(''));
    expect(await outcomes(again)).toEqual(['ALLOW']);
  });

  it('is counted per question, and for the breaker as one', async () => {
    const { source, ask, guard, states } = tested(
      withBreaker({ volumeThreshold: 3, errorThreshold: 60 }),
    );
    for (const answer of [refused, refused]) {
      const asked = await ask(['a', 'b', 'c']);
      source.batches.at(-1)!.answer(answer);
      await turn();
      for (const name of ['a', 'b', 'c']) source.alone(name).answer(allow(''));
      await outcomes(asked);
    }
    // Two of eight requests failed; each question has one answer.
    expect(states).toEqual([]);
    expect(guard.status()).toMatchObject({
      asked: 6,
      failures: { unavailable: 0, overloaded: 0, invalid: 0 },
    });
  });
});

describe('a request that fails', () => {
  const failures: ReadonlyArray<[string, BatchAnswer]> = [
    ['conflicts', conflict],
    ['is not answered', refused],
    ['is limited', limited],
    ['is not what the router asks for', { kind: 'UNUSABLE', problem: 'no rule' }],
  ];

  it.each(failures)(
    'because it %s: each is asked by itself',
    async (_name, failure) => {
      const { source, ask } = tested();
      const asked = await ask(['a', 'b', 'c', 'd']);
      source.batches[0]!.answer(failure);
      await turn();
      expect(source.asked).toEqual(['[a b c d]', 'a', 'b', 'c', 'd']);
      source.alone('a').answer(allow(''));
      expect(outcome(await asked[0]!)).toBe('ALLOW');
      source.alone('b').answer(conflict);
      source.alone('c').answer(refused);
      source.alone('d').answer(limited);
      expect(await outcomes(asked)).toEqual([
        'ALLOW',
        'DENY invalid HTTP_500',
        'ALLOW unavailable ECONNREFUSED',
        'DENY overloaded HTTP_429',
      ]);
    },
  );

  it('because the source throws: each is asked by itself, and hears nothing of it', async () => {
    const { source, ask } = tested();
    Object.assign(source.batching, {
      put: () => {
        throw new Error('secret');
      },
    });
    const asked = await ask(['a', 'b']);
    await turn();
    source.alone('a').answer(deny(''));
    source.alone('b').answer(allow(''));
    expect(await outcomes(asked)).toEqual(['DENY', 'ALLOW']);
    expect(JSON.stringify(await Promise.all(asked))).not.toContain('secret');
  });

  it('gives each question all of its time again, and not more', async () => {
    const { source, ask } = tested();
    const asked = await ask(['a', 'b']);
    await pass(LATE - 10);
    source.batches[0]!.answer(conflict);
    await turn();
    source.alone('b').answer(deny(''));
    await pass(TIMEOUT - 1);
    expect(await atOnce(asked[0]!)).toBe('not at once');
    await pass(1);
    expect(await outcomes(asked)).toEqual(['ALLOW unavailable TIMEOUT', 'DENY']);
    await pass(TIMEOUT);
  });

  it('with one slot: they follow each other', async () => {
    const { source, ask } = tested({ concurrency: 1 });
    const asked = await ask(['a', 'b', 'c']);
    source.batches[0]!.answer(conflict);
    for (const name of ['a', 'b', 'c']) {
      await turn();
      source.alone(name).answer(deny(name));
    }
    expect(await outcomes(asked)).toEqual(['DENY', 'DENY', 'DENY']);
  });

  it('finds no place in the queue for each: overloaded', async () => {
    const { source, ask } = tested({ concurrency: 1, queue: 1 });
    const asked = await ask(['a', 'b', 'c']);
    source.batches[0]!.answer(conflict);
    await turn();
    source.alone('a').answer(deny(''));
    expect(await outcomes(asked)).toEqual([
      'DENY',
      'DENY overloaded QUEUE_FULL',
      'DENY overloaded QUEUE_FULL',
    ]);
  });
});

describe('a request that is late', () => {
  async function late(
    asked: readonly string[],
    changes: Partial<RemoteGuardOptions> = {},
  ) {
    const all = tested(changes);
    const asks = await all.ask(asked);
    jest.advanceTimersByTime(LATE);
    // Timers count whole milliseconds, so those for what is left end first.
    jest.advanceTimersByTime(0.5);
    for (let turns = 0; turns < 4; turns++) await turn();
    return { ...all, asks };
  }

  it('lets its questions be asked by themselves, and not a moment earlier', async () => {
    const { source, ask } = tested();
    const asked = await ask(['a', 'b']);
    await pass(LATE - 1);
    await turn();
    expect(source.questions).toEqual([]);
    await pass(1);
    await turn();
    expect(source.asked).toEqual(['[a b]', 'a', 'b']);
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    expect(await outcomes(asked)).toEqual(['DENY', 'ALLOW']);
    await pass(TIMEOUT);
  });

  it('leaves each the answer that comes first', async () => {
    const { source, asks } = await late(['slow', 'b', 'c']);
    source.alone('b').answer(deny(''));
    expect(outcome(await asks[1]!)).toBe('DENY');
    source.batches[0]!.answer(answers('ALLOW', 'ALLOW', 'ALLOW'));
    expect(await outcomes(asks)).toEqual(['ALLOW', 'DENY', 'ALLOW']);
    await pass(TIMEOUT);
  });

  it('does not spoil the questions that OPA answers, whatever becomes of it', async () => {
    const { source, asks } = await late(['slow', 'b']);
    source.alone('b').answer(deny(''));
    await pass(TIMEOUT);
    expect(await outcomes(asks)).toEqual(['ALLOW unavailable TIMEOUT', 'DENY']);
    await pass(TIMEOUT);
  });

  it.each<[string, Answer, string]>([
    ['cannot be answered', conflict, 'DENY invalid HTTP_500'],
    ['is limited', limited, 'DENY overloaded HTTP_429'],
    ['cannot be put', refused, 'ALLOW unavailable ECONNREFUSED'],
  ])(
    'does not open what %s by itself, if it is never answered',
    async (_name, alone, expected) => {
      const { source, asks } = await late(['slow', 'b']);
      source.alone('b').answer(alone);
      await pass(TIMEOUT);
      expect(await outcomes(asks)).toEqual(['ALLOW unavailable TIMEOUT', expected]);
      await pass(TIMEOUT);
    },
  );

  it('does not delay what OPA says that it cannot answer', async () => {
    const { source, asks } = await late(['slow', 'b']);
    source.alone('b').answer(conflict);
    await turn();
    expect(await atOnce(asks[1]!)).toBe('DENY invalid HTTP_500');
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    await outcomes(asks);
    await pass(TIMEOUT);
  });

  it('answers what could not be put by itself, if it is in time', async () => {
    const { source, asks } = await late(['slow', 'b']);
    source.alone('b').answer(refused);
    expect(await atOnce(asks[1]!)).toBe('not at once');
    source.batches[0]!.answer(answers('ALLOW', 'DENY'));
    expect(await outcomes(asks)).toEqual(['ALLOW', 'DENY']);
    await pass(TIMEOUT);
  });

  it('lets no question be put with less than half of its time', async () => {
    const { source, ask } = tested({ concurrency: 2 });
    const [other] = await ask([questionOf('olivia', 'other')]);
    const asks = await ask(['slow', 'b']);
    await pass(LATE);
    await turn();
    // The time for a slot is a tenth longer than for a question that is asked once.
    await pass(0.6 * TIMEOUT + 1);
    source.alone('other').answer(deny(''));
    await other;
    await turn();
    expect(source.asked).toEqual(['[slow b]', 'other']);
    source.batches[0]!.answer(answers('ALLOW', 'DENY'));
    expect(await outcomes(asks)).toEqual(['ALLOW', 'DENY']);
  });

  it('leaves its questions the time that the source lost because of us', async () => {
    const { source, asks } = await late(['slow', 'b']);
    Object.defineProperty(eventLoop, 'blocked', { configurable: true, value: 20 });
    await pass(TIMEOUT + 10);
    expect(await atOnce(asks[1]!)).toBe('not at once');
    source.alone('b').answer(deny(''));
    expect(outcome(await asks[1]!)).toBe('DENY');
    await pass(10);
    expect(outcome(await asks[0]!)).toBe('ALLOW unavailable TIMEOUT');
    await pass(TIMEOUT);
  });

  it('says nothing of the source if that lost a quarter of its time because of us', async () => {
    const { asks } = await late(['slow', 'b']);
    Object.defineProperty(eventLoop, 'blocked', { configurable: true, value: 50 });
    await pass(TIMEOUT);
    expect(await outcomes(asks)).toEqual(Array(2).fill('DENY overloaded STALLED'));
    await pass(TIMEOUT);
  });

  it('lets a question without a slot fail as overload, never as an outage', async () => {
    const { source, asks } = await late(['slow', 'b'], { concurrency: 1 });
    expect(source.questions).toEqual([]);
    await pass(TIMEOUT);
    expect(await outcomes(asks)).toEqual(Array(2).fill('DENY overloaded NO_TIME_LEFT'));
    await pass(TIMEOUT);
  });

  it.each([[['other']], [[]]])(
    'lets a question that waited for a slot fail as overload, never as an outage: %j',
    async before => {
      const { source, ask } = tested({ concurrency: 2 });
      const others = await ask(before.map(name => questionOf('olivia', name)));
      const asks = await ask(['slow', 'b']);
      await pass(LATE);
      await turn();
      await pass(30);
      for (const name of before) source.alone(name).answer(deny(''));
      await outcomes(others);
      await turn();
      expect(source.asked).toEqual(['[slow b]', ...before, 'slow'].sort());
      source.alone('slow').answer(conflict);
      await turn();
      expect(source.asked.at(-1)).toBe('b');
      await pass(TIMEOUT);
      expect(await outcomes(asks)).toEqual([
        'DENY invalid HTTP_500',
        'DENY overloaded CUT_SHORT',
      ]);
      await pass(TIMEOUT);
    },
  );

  it('lets a question without a place fail as overload, never as an outage', async () => {
    const { source, asks } = await late(['slow', 'b'], {
      concurrency: 2,
      queue: 0,
    });
    expect(source.asked).toEqual(['[slow b]', 'slow']);
    await pass(TIMEOUT);
    expect(await outcomes(asks)).toEqual([
      'ALLOW unavailable TIMEOUT',
      'DENY overloaded NO_TIME_LEFT',
    ]);
    await pass(TIMEOUT);
  });

  it('lets its questions have half of the slots, so that a busy source gets no flood', async () => {
    const { source, asks } = await late(names(10), { concurrency: 8 });
    const put: number[] = [];
    for (let answered = 0; answered < 10;) {
      const now = source.questions.slice(answered);
      put.push(now.length);
      answered += now.length;
      for (const each of now) each.answer(deny(''));
      for (let turns = 0; turns < 4; turns++) await turn();
    }
    expect(put).toEqual([4, 4, 2]);
    expect(await outcomes(asks)).toEqual(Array(10).fill('DENY'));
    await pass(TIMEOUT);
  });

  it('gives two slow questions the same answers as by themselves', async () => {
    const { source, asks } = await late(['slow', 'too slow']);
    await pass(0.8 * TIMEOUT);
    source.alone('slow').answer(deny(''));
    source.alone('too slow').answer(deny(''));
    expect(await outcomes(asks)).toEqual(['DENY', 'DENY']);
    await pass(TIMEOUT);
  });

  it('ends at the deadline of the decision, as overload', async () => {
    const { ask } = tested();
    const asks = await ask(['a', 'b'], { deadline: TIMEOUT + 10 });
    await pass(TIMEOUT + 10);
    expect(await outcomes(asks)).toEqual(Array(2).fill('DENY overloaded CUT_SHORT'));
    await pass(2 * TIMEOUT);
  });

  it('answers with one slot, too', async () => {
    const { source, asks } = await late(['a', 'b'], { concurrency: 1 });
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    expect(await outcomes(asks)).toEqual(['DENY', 'ALLOW']);
    await turn();
    expect(source.questions).toEqual([]);
  });

  it('and fails then leaves the questions that are under way', async () => {
    const { source, asks } = await late(['a', 'b']);
    source.batches[0]!.answer(conflict);
    await turn();
    expect(source.asked).toEqual(['[a b]', 'a', 'b']);
    source.alone('a').answer(deny(''));
    source.alone('b').answer(allow(''));
    expect(await outcomes(asks)).toEqual(['DENY', 'ALLOW']);
  });

  it('and hangs holds its slot until the source lets go of it', async () => {
    const { source, ask, guard } = tested({ concurrency: 2 });
    source.hangs = true;
    const asks = await ask(['a', 'b']);
    await pass(LATE);
    await turn();
    source.alone('a').answer(deny(''));
    await turn();
    source.alone('b').answer(allow(''));
    expect(await outcomes(asks)).toEqual(['DENY', 'ALLOW']);
    await pass(TIMEOUT);
    expect(guard.status().remote).toMatchObject({ inFlight: 1 });
    source.batches[0]!.answer(conflict);
    await turn();
    expect(guard.status().remote).toMatchObject({ inFlight: 0 });
  });
});

describe('the circuit breaker', () => {
  async function halfOpen(changes: Partial<RemoteGuardOptions> = {}) {
    const all = tested({ ...withBreaker({ volumeThreshold: 1 }), ...changes });
    const [first] = await all.ask(['first']);
    all.source.alone('first').answer(refused);
    await first;
    expect(await outcomes(await all.ask(['x', 'y']))).toEqual(
      Array(2).fill('ALLOW unavailable BREAKER_OPEN'),
    );
    expect(all.source.asked).toEqual(['first']);
    await pass(50);
    return all;
  }

  it('takes one request as its probe, which closes it', async () => {
    const { source, ask, states } = await halfOpen();
    const asked = await ask(['a', 'b']);
    expect(await outcomes(await ask(['c', 'd']))).toEqual(
      Array(2).fill('ALLOW unavailable BREAKER_OPEN'),
    );
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    expect(await outcomes(asked)).toEqual(['DENY', 'ALLOW']);
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  it('closes if the probe conflicts, and each of its questions is asked', async () => {
    const { source, ask, states } = await halfOpen();
    const asked = await ask(['a', 'b']);
    source.batches[0]!.answer(conflict);
    await turn();
    source.alone('a').answer(conflict);
    source.alone('b').answer(deny(''));
    expect(await outcomes(asked)).toEqual(['DENY invalid HTTP_500', 'DENY']);
    expect(states.at(-1)).toBe('closed');
  });

  it('waits for a late probe, and takes its answer', async () => {
    const { source, ask } = await halfOpen();
    const asked = await ask(['a', 'b']);
    await pass(TIMEOUT / 2);
    expect(source.questions).toHaveLength(1);
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    expect(await outcomes(asked)).toEqual(['DENY', 'ALLOW']);
  });

  it('closes if a late probe conflicts, and each of its questions is asked', async () => {
    const { source, ask, states } = await halfOpen();
    const asked = await ask(['a', 'b']);
    await pass(LATE);
    await turn();
    source.batches[0]!.answer(conflict);
    await turn();
    source.alone('a').answer(conflict);
    source.alone('b').answer(deny(''));
    expect(await outcomes(asked)).toEqual(['DENY invalid HTTP_500', 'DENY']);
    expect(states.at(-1)).toBe('closed');
  });

  it('that opens while a request is under way leaves it its time', async () => {
    const { source, ask, states } = tested(
      withBreaker({ volumeThreshold: 1, errorThreshold: 40 }),
    );
    const asked = await ask(['a', 'b']);
    const [other] = await ask([questionOf('olivia', 'other')]);
    await pass(LATE - 1);
    source.alone('other').answer(refused);
    await other;
    expect(states).toEqual(['open']);
    await pass(1);
    await turn();
    await pass(50);
    const [probe] = await ask([questionOf('olivia', 'probe')]);
    source.alone('probe').answer(deny(''));
    await probe;
    expect(states).toEqual(['open', 'half-open', 'closed']);
    await pass(TIMEOUT - LATE - 50);
    expect(await outcomes(asked)).toEqual(Array(2).fill('ALLOW unavailable TIMEOUT'));
    expect(source.asked).toEqual(['[a b]', 'other', 'probe']);
  });

  it('opens if the probe is never answered', async () => {
    const { ask, states } = await halfOpen();
    const asked = await ask(['a', 'b']);
    await pass(TIMEOUT);
    expect(await outcomes(asked)).toEqual(Array(2).fill('ALLOW unavailable TIMEOUT'));
    expect(states.at(-1)).toBe('open');
  });

  it.each([
    ['in time', 0],
    ['late', LATE],
  ])('keeps the overload of a probe an overload, %s', async (_name, milliseconds) => {
    const { source, ask, states } = await halfOpen();
    const asked = await ask(['a', 'b']);
    await pass(milliseconds);
    await turn();
    source.batches[0]!.answer(limited);
    expect(await outcomes(asked)).toEqual(Array(2).fill('DENY overloaded HTTP_429'));
    expect(states.at(-1)).toBe('open');
  });

  it('that opens because a request is not answered lets each of its questions say so', async () => {
    const { source, ask, states } = tested(withBreaker({ volumeThreshold: 1 }));
    const asked = await ask(['a', 'b']);
    source.batches[0]!.answer(refused);
    expect(await outcomes(asked)).toEqual(
      Array(2).fill('ALLOW unavailable ECONNREFUSED'),
    );
    expect(states).toEqual(['open']);
  });
});

describe('the size of a request', () => {
  it('is half as large after one that failed or was late, and grows again', async () => {
    const { source, ask } = tested({ concurrency: 200 });
    const say = async (count: number, answer?: BatchAnswer): Promise<void> => {
      const before = source.batches.length;
      const alone = source.questions.length;
      const asked = await ask(names(count));
      if (!answer) await pass(LATE).then(() => turn());
      for (const each of source.batches.slice(before))
        each.answer(answer ?? answers(...each.requests.map(() => 'DENY' as const)));
      await turn();
      for (const each of source.questions.slice(alone)) each.answer(deny(''));
      await outcomes(asked);
    };
    const good = (count: number) =>
      say(count, answers(...names(count).map(() => 'DENY' as const)));
    await say(100, conflict);
    await say(50);
    await good(100);
    expect(sizes(source)).toEqual([100, 50, 25, 25, 25, 25]);
    await good(100);
    expect(sizes(source).slice(6)).toEqual([50, 50]);
    await pass(TIMEOUT);
  });

  it('is one for ten seconds if the source cannot answer batches, which is said once', async () => {
    const { source, ask, problems, guard } = tested();
    const say = async (answer: BatchAnswer): Promise<void> => {
      const asked = await ask(['a', 'b']);
      source.batches.at(-1)!.answer(answer);
      await turn();
      source.questions.forEach(each => each.answer(deny('')));
      await outcomes(asked);
    };
    await say({ kind: 'UNUSABLE', problem: 'no rule' });
    expect(guard.status().remote?.batch).toEqual({ problem: 'no rule' });
    await pass(9_999);
    await say({ kind: 'UNUSABLE', problem: 'no rule' });
    expect(source.batches).toHaveLength(1);
    await pass(1);
    await say({ kind: 'UNUSABLE', problem: 'no rule' });
    expect(source.batches).toHaveLength(2);
    expect(problems).toEqual(['no rule']);
    await pass(10_000);
    // That it is not answered says nothing of the rule.
    await say(conflict);
    expect(problems).toEqual(['no rule']);
    await say(answers('DENY', 'DENY'));
    await say(answers('DENY', 'DENY'));
    expect(problems).toEqual(['no rule', undefined]);
    expect(guard.status().remote?.batch).toEqual({ problem: undefined });
  });
});

describe('a guard that is closed', () => {
  const CLOSED = expect.stringMatching(/^DENY invalid /) as string;

  it('puts nothing that was gathered or waited for a slot', async () => {
    const { source, ask, askGuard, close } = tested({ concurrency: 1 });
    const underWay = await ask(['a', 'b']);
    const waiting = await ask(['c', 'd']);
    const gathered = ['e', 'f'].map(name =>
      askGuard(undefined, undefined, question(name)),
    );
    const closing = close();
    await turn();
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    await closing;
    expect(await outcomes(underWay)).toEqual(['DENY', 'ALLOW']);
    expect(await outcomes([...waiting, ...gathered])).toEqual(Array(4).fill(CLOSED));
    expect(source.asked).toEqual(['[a b]']);
  });

  it('asks nothing by itself any more', async () => {
    const { source, ask, close } = tested();
    const failing = await ask(['a', 'b']);
    const late = await ask(['c', 'd']);
    await close();
    source.batches[0]!.answer(conflict);
    expect(await outcomes(failing)).toEqual([CLOSED, CLOSED]);
    await pass(LATE);
    source.batches[1]!.answer(answers('DENY', 'ALLOW'));
    expect(await outcomes(late)).toEqual(['DENY', 'ALLOW']);
    expect(source.questions).toEqual([]);
  });
});

const UNOBSERVED: GuardObserver = {
  breakerChanged: () => {},
  allCallsHang: () => {},
  batchChanged: () => {},
};

describe('beside the decisions', () => {
  const asking = (guard: Askable, asked: readonly string[]): Promise<string[]> =>
    Promise.all(
      asked.map(async name => {
        const deadline = new Deadline(10_000);
        return (await guard.ask(question(name), deadline, verdict => verdict)).kind;
      }),
    );

  function besides() {
    const live = new ManualBatches();
    const beside = new ManualBatches();
    const guard = new RemoteGuard(live, OPTIONS, UNOBSERVED, {
      aside: { needsUser: false, build: () => beside },
    });
    return { guard, live, beside };
  }

  it.each(['aside', 'shadow'] as const)('%s: they go together, too', async which => {
    const { guard, live, beside } = besides();
    const asked = asking(guard[which], ['a', 'b']);
    for (let turns = 0; turns < 3; turns++) await turn();
    beside.batches[0]?.answer(answers('DENY', 'ALLOW'));
    beside.questions.forEach(each =>
      each.answer(each.request.permission.name === 'a' ? deny('') : allow('')),
    );
    for (let turns = 0; turns < 3; turns++) await turn();
    beside.questions.forEach(each =>
      each.answer(each.request.permission.name === 'a' ? deny('') : allow('')),
    );
    expect(await asked).toEqual(['DENY', 'ALLOW']);
    expect(live.asked).toEqual([]);
    expect(guard.status().asked).toBe(0);
    await guard.close();
  });

  it('nothing of a question is kept once it is answered, or has no place', async () => {
    const shared = new Shared();
    const source = new ManualBatches();
    const guard = new RemoteGuard(source, { ...OPTIONS, queue: 0 }, UNOBSERVED, {
      shared,
    });
    const asked = ['dana', 'olivia', 'nolan'].flatMap(user =>
      ['a', 'b'].map(name => {
        const deadline = new Deadline(10_000);
        return guard.ask(questionOf(user, name), deadline, verdict => verdict);
      }),
    );
    expect(shared.size).toBe(6);
    await turn();
    source.batches[0]!.answer(answers('DENY', 'ALLOW'));
    source.batches[1]!.answer(conflict);
    await turn();
    source.questions.forEach(each => each.answer(deny('')));
    const said = (await Promise.all([...asked])).map(answer =>
      answer.kind === 'FAILED' ? answer.failure.code : answer.kind,
    );
    expect(said.slice(0, 2)).toEqual(['DENY', 'ALLOW']);
    expect(said.slice(4)).toEqual(['QUEUE_FULL', 'QUEUE_FULL']);
    await turn();
    expect(shared.size).toBe(0);
    await guard.close();
  });

  it('a shadow that is closed leaves nothing under way', async () => {
    const { guard, beside } = besides();
    const underWay = asking(guard.shadow, ['a', 'b']);
    await turn();
    await pass(LATE);
    await turn();
    expect(beside.asked).toEqual(['[a b]', 'a', 'b']);
    const gathered = asking(guard.shadow, ['c', 'd']);
    await guard.shadow.close();
    expect(await Promise.all([underWay, gathered])).toEqual([
      ['FAILED', 'FAILED'],
      ['FAILED', 'FAILED'],
    ]);
    expect(beside.asked).toEqual(['[a b]', 'a', 'b']);
    await guard.close();
  });
});
