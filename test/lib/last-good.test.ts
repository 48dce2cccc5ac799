/** What is in use while something changes, and what is said of it; on a clock that the test turns. */
import { LastGood, PassingProblem } from '../../src/lib/last-good';
import { pass, resumeClock, stopClock } from '../support/clock';

beforeEach(() => stopClock());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

/**
 * What is loaded: `A` is in use at first; `!` and a message is one that cannot be loaded, `?` and a
 * message one that cannot be loaded now.
 */
interface Steps {
  readonly unusable?: Set<string>;
  readonly retryAfter?: number;
}

function lastGoodOf({ unusable = new Set(), retryAfter }: Steps = {}) {
  let file = 'A';
  const events: string[] = [];
  /** Set while the step waits for the test. */
  const held: { load?: () => void; use?: () => void } = {};
  const holds = { load: false, use: false };
  const hold = (step: 'load' | 'use'): Promise<void> =>
    holds[step] ? new Promise(resolve => (held[step] = resolve)) : Promise.resolve();

  const last = new LastGood('A', {
    async load(inUse) {
      const read = file;
      events.push(`load, ${inUse} in use`);
      await hold('load');
      if (read.startsWith('!')) throw new Error(read.slice(1));
      if (read.startsWith('?')) throw new PassingProblem(read.slice(1));
      return read;
    },
    async use(next) {
      await hold('use');
      if (unusable.has(next)) throw new Error(`${next} cannot be used`);
      events.push(`use ${next}`);
    },
    accepted: ({ changed, recovered }) =>
      events.push(
        `accepted${changed ? ', changed' : ''}${recovered ? ', recovered' : ''}`,
      ),
    rejected: problem => events.push(`rejected: ${problem}`),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
  return {
    last,
    holds,
    held,
    /** What has happened since the last look. */
    since: () => events.splice(0),
    /** Changes the file without a word. */
    set: (content: string): void => void (file = content),
    /** Changes the file, and says so. */
    become: async (content: string): Promise<void> => {
      file = content;
      last.reload();
      await pass(0);
    },
  };
}

describe('what is in use', () => {
  it('is the first at first, and nothing is loaded by itself', async () => {
    const { last, since } = lastGoodOf();
    await pass(60_000);
    expect([last.inUse, since()]).toEqual(['A', []]);
  });

  it('is the next one once that has been taken into use', async () => {
    const { last, become, since } = lastGoodOf();
    await become('B');
    expect(last.inUse).toBe('B');
    expect(since()).toEqual(['load, A in use', 'use B', 'accepted, changed']);
    await become('C');
    expect(last.inUse).toBe('C');
    expect(since()).toEqual(['load, B in use', 'use C', 'accepted, changed']);
  });

  it('is neither taken into use again nor reported if nothing has changed', async () => {
    const { last, become, since } = lastGoodOf();
    await become('A');
    expect([last.inUse, since()]).toEqual(['A', ['load, A in use']]);
  });

  it('needs no step of its own to be taken into use', async () => {
    const accepted = jest.fn();
    const load = (): Promise<string> => Promise.resolve('B');
    const last = new LastGood('A', { load, accepted, rejected: () => {} });
    last.reload();
    await pass(0);
    expect([last.inUse, accepted.mock.calls]).toEqual([
      'B',
      [[{ changed: true, recovered: false }]],
    ]);
  });

  it('is loaded once at a time, and once more if it may have changed meanwhile', async () => {
    const { last, become, holds, held, since } = lastGoodOf();
    holds.load = true;
    await become('B');
    await become('C');
    await become('D');
    expect(since()).toEqual(['load, A in use']);
    holds.load = false;
    held.load!();
    await pass(0);
    expect(last.inUse).toBe('D');
    expect(since()).toEqual([
      'use B',
      'accepted, changed',
      'load, B in use',
      'use D',
      'accepted, changed',
    ]);
  });
});

describe('what cannot be loaded', () => {
  it('is rejected, and the last good one stays', async () => {
    const { last, become, since } = lastGoodOf();
    await become('B');
    since();
    await become('!syntax error');
    expect(last.inUse).toBe('B');
    expect(since()).toEqual(['load, B in use', 'rejected: syntax error']);
  });

  it('is reported once for each problem, however often it is loaded', async () => {
    const { become, since } = lastGoodOf();
    for (const content of ['!one', '!one', '!two', '!two', '!one'])
      await become(content);
    expect(since().filter(event => event.startsWith('rejected'))).toEqual([
      'rejected: one',
      'rejected: two',
      'rejected: one',
    ]);
  });

  it('is reported again after a good one', async () => {
    const { become, since } = lastGoodOf();
    for (const content of ['!one', 'A', '!one']) await become(content);
    expect(since().filter(event => !event.startsWith('load'))).toEqual([
      'rejected: one',
      'accepted, recovered',
      'rejected: one',
    ]);
  });

  it('is reported by its text if it is not an Error', async () => {
    const rejected = jest.fn();
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- foreign code may
    const load = (): Promise<string> => Promise.reject('just text');
    const last = new LastGood('A', { load, accepted: () => {}, rejected });
    last.reload();
    await pass(0);
    expect(rejected.mock.calls).toEqual([['just text']]);
  });

  it.each([
    ['A', ['load, A in use', 'accepted, recovered']],
    ['B', ['load, A in use', 'use B', 'accepted, changed, recovered']],
  ])('is over when %s is loaded, which is reported', async (content, expected) => {
    const { last, become, since } = lastGoodOf();
    await become('!one');
    since();
    await become(content);
    expect([last.inUse, since()]).toEqual([content, expected]);
    await become(content);
    expect(since()).toEqual([`load, ${content} in use`]);
  });

  it('is not loaded again by itself', async () => {
    const { become, since } = lastGoodOf({ retryAfter: 1000 });
    await become('!one');
    since();
    await pass(60_000);
    expect(since()).toEqual([]);
  });
});

describe('what cannot be loaded for a reason that may pass', () => {
  it('is loaded again every `retryAfter` until it can, with one report', async () => {
    const { last, become, set, since } = lastGoodOf({ retryAfter: 1000 });
    await become('?unreadable');
    expect(since()).toEqual(['load, A in use', 'rejected: unreadable']);
    await pass(999);
    expect(since()).toEqual([]);
    await pass(2001);
    expect(since()).toEqual(['load, A in use', 'load, A in use', 'load, A in use']);
    set('B');
    await pass(1000);
    expect(last.inUse).toBe('B');
    expect(since()).toEqual([
      'load, A in use',
      'use B',
      'accepted, changed, recovered',
    ]);
    await pass(60_000);
    expect(since()).toEqual([]);
  });

  it('is not loaded again by itself once it is bad for another reason', async () => {
    const { become, set, since } = lastGoodOf({ retryAfter: 1000 });
    await become('?unreadable');
    set('!syntax error');
    await pass(1000);
    since();
    await pass(60_000);
    expect(since()).toEqual([]);
  });

  it('is loaded again if that is the cause of the error', async () => {
    const load = jest.fn(() =>
      Promise.reject(new Error('outer', { cause: new PassingProblem('inner') })),
    );
    const rejected = jest.fn();
    const steps = { load, accepted: () => {}, rejected, retryAfter: 1000 };
    const last = new LastGood('A', steps);
    last.reload();
    await pass(3000);
    expect(load).toHaveBeenCalledTimes(4);
    expect(rejected.mock.calls).toEqual([['outer']]);
    last.stop();
  });

  it('is not loaded again without `retryAfter`, or after `stop`', async () => {
    const once = lastGoodOf();
    await once.become('?unreadable');
    const stopped = lastGoodOf({ retryAfter: 1000 });
    await stopped.become('?unreadable');
    stopped.last.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('what cannot be taken into use', () => {
  it('is rejected, and the last good one stays', async () => {
    const { last, become, since } = lastGoodOf({ unusable: new Set(['B']) });
    await become('B');
    expect(last.inUse).toBe('A');
    expect(since()).toEqual(['load, A in use', 'rejected: B cannot be used']);
    await pass(60_000);
    expect(since()).toEqual([]);
  });

  it('is tried again every `retryAfter` until it can, with one report', async () => {
    const unusable = new Set(['B']);
    const { last, become, since } = lastGoodOf({ unusable, retryAfter: 1000 });
    await become('B');
    expect(since()).toEqual(['load, A in use', 'rejected: B cannot be used']);
    await pass(999);
    expect(since()).toEqual([]);
    await pass(1);
    expect(since()).toEqual(['load, A in use']);
    unusable.clear();
    await pass(1000);
    expect(last.inUse).toBe('B');
    expect(since()).toEqual([
      'load, A in use',
      'use B',
      'accepted, changed, recovered',
    ]);
    await pass(60_000);
    expect(since()).toEqual([]);
  });

  it('is not tried again once something else is in use', async () => {
    const { become, since } = lastGoodOf({
      unusable: new Set(['B']),
      retryAfter: 1000,
    });
    await become('B');
    await become('C');
    since();
    await pass(60_000);
    expect(since()).toEqual([]);
  });
});

describe('after `stop`', () => {
  it('nothing is loaded, and what is in use stays', async () => {
    const { last, become, since } = lastGoodOf();
    await become('B');
    since();
    last.stop();
    await become('C');
    expect([last.inUse, since()]).toEqual(['B', []]);
  });

  it('what could not be taken into use is not tried again', async () => {
    const { last, become, since } = lastGoodOf({
      unusable: new Set(['B']),
      retryAfter: 1000,
    });
    await become('B');
    since();
    last.stop();
    expect(jest.getTimerCount()).toBe(0);
    await pass(60_000);
    expect(since()).toEqual([]);
  });

  it.each(['B', '!syntax error'])(
    'what was being loaded (%s) is neither used nor reported',
    async content => {
      const { last, become, holds, held, since } = lastGoodOf();
      holds.load = true;
      await become(content);
      last.stop();
      held.load!();
      await pass(0);
      expect([last.inUse, since()]).toEqual(['A', ['load, A in use']]);
      last.reload();
      await pass(0);
      expect(since()).toEqual([]);
    },
  );

  it('what was being taken into use is in use, and nothing follows it', async () => {
    const { last, become, holds, held, since } = lastGoodOf();
    holds.use = true;
    await become('B');
    last.stop();
    held.use!();
    await pass(0);
    expect(last.inUse).toBe('B');
    expect(since()).toEqual(['load, A in use', 'use B', 'accepted, changed']);
    await become('C');
    expect([last.inUse, since()]).toEqual(['B', []]);
  });

  it('what then could not be taken into use is neither reported nor tried again', async () => {
    const { last, become, holds, held, since } = lastGoodOf({
      unusable: new Set(['B']),
      retryAfter: 1000,
    });
    holds.use = true;
    await become('B');
    last.stop();
    held.use!();
    await pass(0);
    expect(jest.getTimerCount()).toBe(0);
    await pass(60_000);
    expect([last.inUse, since()]).toEqual(['A', ['load, A in use']]);
  });
});
