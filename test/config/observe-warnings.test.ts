import { readConfig } from '../../src/config/read';
import { ObserveEnds, observeWarnings } from '../../src/config/observe-warnings';
import type { RouterConfig } from '../../src/config/types';
import { CapturedLogs } from '../support/captured-logs';
import { config, ROUTE } from '../support/read-config';

const END = Date.parse('2027-01-31');
const DAY = 24 * 60 * 60 * 1000;
const WEEK = 7 * DAY;
const OBSERVE = { answer: 'allow', until: '2027-01-31' };

const read = async (changes: object): Promise<RouterConfig> =>
  (await readConfig(config(changes))).config;

describe('the warnings about observe', () => {
  const codes = async (changes: object, now: number): Promise<string[]> =>
    observeWarnings(await read(changes), undefined, now).map(({ code }) => code);

  it.each([
    ['more than a week before the end', END - WEEK - 1, []],
    ['a week before', END - WEEK, ['OBSERVE_ENDS_SOON']],
    ['just before', END - 1, ['OBSERVE_ENDS_SOON']],
    ['at the end', END, ['OBSERVE_ENDED']],
    ['years later', END + 1000 * DAY, ['OBSERVE_ENDED']],
  ])('%s', async (_when, now, expected) => {
    expect(await codes({ observe: OBSERVE }, now)).toEqual(expected);
    expect(await codes({}, now)).toEqual([]);
  });

  it('say where, what and when', async () => {
    const observed = await read({ observe: OBSERVE });
    const place = 'permission.policyRouter.observe';
    const message =
      'observe ends on 2027-01-31T00:00:00.000Z: from then on the decisions of 1 route and the fallback are enforced. ' +
      'GET observed of the operations API lists what they would have denied';
    expect(observeWarnings(observed, './r.yaml', END - 1)).toEqual([
      {
        ...{ code: 'OBSERVE_ENDS_SOON', place, message, text: `${place}: ${message}` },
        at: { routingFile: undefined, keys: ['observe'] },
      },
    ]);
  });

  it.each([
    ['app-config', undefined, 'permission.policyRouter.routes[0].observe'],
    ['a routing file', './r.yaml', './r.yaml: routes[0].observe'],
  ])('name the first route, in %s', async (_where, file, place) => {
    const observed = await read({ routes: [{ ...ROUTE, observe: OBSERVE }] });
    const message =
      'observe ended on 2027-01-31T00:00:00.000Z: the decisions of 1 route are enforced now. Remove observe from the config';
    expect(observeWarnings(observed, file, END)).toEqual([
      {
        ...{ code: 'OBSERVE_ENDED', place, subject: "'*'", message },
        text: `'*' (${place}): ${message}`,
        at: { routingFile: file, keys: ['routes', 0, 'observe'] },
      },
    ]);
  });

  it('are at most eleven', async () => {
    const routes = Array.from({ length: 30 }, (_, index) => ({
      ...ROUTE,
      prefix: `a${index}`,
      observe: { answer: 'allow', until: `20${10 + index}-01-31` },
    }));
    const given = observeWarnings(
      await read({ routes }),
      undefined,
      Date.parse('2050'),
    );
    expect(given).toHaveLength(11);
    expect(given.at(-1)).toMatchObject({
      code: 'MORE_WARNINGS',
      text: 'and 20 more warnings about observe',
    });
  });
});

describe('the log', () => {
  let logs: CapturedLogs;
  let ends: ObserveEnds;
  beforeEach(() => {
    jest.useFakeTimers();
    logs = new CapturedLogs();
    ends = new ObserveEnds(logs.logger());
  });
  afterEach(() => {
    ends.stop();
    jest.useRealTimers();
  });

  /** The warnings since the last call, without the place. */
  const logged = (): string[] =>
    logs.lines
      .splice(0)
      .map(({ message }) => /observe (ends|ended) on [\d-]+/.exec(message)![0]);
  const passTo = (time: number): void => {
    jest.advanceTimersByTime(time - Date.now());
  };

  it('warns a week before the end and at the end, once each', async () => {
    const observed = await read({ observe: OBSERVE });
    // Longer than a timer can be.
    jest.setSystemTime(END - 60 * DAY);
    ends.follow(observed);
    passTo(END - WEEK - 1);
    expect(logged()).toEqual([]);
    passTo(END - WEEK);
    expect(logged()).toEqual(['observe ends on 2027-01-31']);
    passTo(END - 1);
    expect(logged()).toEqual([]);
    passTo(END);
    expect(logged()).toEqual(['observe ended on 2027-01-31']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('warns at once of what is due, at each start and reload', async () => {
    const observed = await read({ observe: OBSERVE });
    jest.setSystemTime(END - DAY);
    ends.follow(observed);
    ends.follow(observed);
    const warning = 'observe ends on 2027-01-31';
    expect(logged()).toEqual([warning, warning]);
    expect(jest.getTimerCount()).toBe(1);
    passTo(END);
    expect(logged()).toEqual(['observe ended on 2027-01-31']);
  });

  it('says nothing of a config that is not in use any more', async () => {
    const [observed, enforced] = [await read({ observe: OBSERVE }), await read({})];
    jest.setSystemTime(END - 2 * WEEK);
    ends.follow(observed);
    ends.follow(enforced);
    expect(jest.getTimerCount()).toBe(0);
    ends.follow(observed);
    ends.stop();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('follows a clock that is set forward', async () => {
    jest.setSystemTime(END - 60 * DAY);
    ends.follow(await read({ observe: OBSERVE }));
    jest.setSystemTime(END + DAY);
    jest.advanceTimersByTime(60 * 60 * 1000);
    expect(logged()).toEqual(['observe ended on 2027-01-31']);
  });

  it('waits for the earliest of very many ends', async () => {
    const { routes, ...rest } = await read({ routes: [ROUTE] });
    const many = Array.from({ length: 100_000 }, (_, index) => ({
      ...routes[0]!,
      observe: { answer: 'allow', until: END + 2 * WEEK - index },
    }));
    jest.setSystemTime(END - WEEK);
    ends.follow({ ...rest, routes: many });
    expect(logged()).toEqual([]);
    expect(jest.getTimerCount()).toBe(1);
  });

  it('keeps no process alive', async () => {
    jest.useRealTimers();
    const timers = jest.spyOn(global, 'setTimeout');
    ends.follow(await read({ observe: { ...OBSERVE, until: '2999-01-01' } }));
    const timer = timers.mock.results.at(-1)!.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    timers.mockRestore();
  });
});
