/** A config whose bundle does not exist yet is tried again, though the config does not change. */
import { ConfigReader } from '@backstage/config';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import { LiveConfig } from '../../src/config/live-config';
import { CapturedLogs } from '../support/captured-logs';
import { NOTHING_PROVIDED } from '../../src/config/hosted';

const tableOf = (fallback: string) => ({
  permission: {
    policyRouter: { fallback, routes: [{ prefix: 'tested', sources: ['allow'] }] },
  },
});

let live: LiveConfig;
let logs: CapturedLogs;
let fallback: string;
let change: () => void;
let lacking: boolean;
let readings: number;
const applied: string[] = [];

beforeEach(async () => {
  jest.useFakeTimers();
  logs = new CapturedLogs();
  fallback = 'deny';
  lacking = false;
  readings = 0;
  applied.length = 0;
  const rootConfig = {
    getOptional: (key: string) => {
      readings++;
      return new ConfigReader(tableOf(fallback)).getOptional(key);
    },
    subscribe: (onChange: () => void) => {
      change = onChange;
      return { unsubscribe: () => {} };
    },
  } as unknown as RootConfigService;
  live = new LiveConfig(rootConfig, logs.logger(), NOTHING_PROVIDED);
  await live.read();
  live.watch(async ({ config }) => {
    if (lacking) throw new Error('the bundle does not exist');
    applied.push(config.fallback);
  });
  await pass(0);
});
afterEach(() => {
  live.stop();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

it('tries again until it can be used, and logs one error', async () => {
  lacking = true;
  fallback = 'allow';
  change();
  await pass(35_000);
  expect(applied).toEqual([]);
  lacking = false;
  await pass(10_000);
  expect(applied).toEqual(['allow']);
  await pass(60_000);
  expect(applied).toEqual(['allow']);
  expect(logs.lines.map(({ level, message }) => [level, message])).toEqual([
    [
      'error',
      'The changed config is not used, the last good one stays: the bundle does not exist',
    ],
    ['info', 'The policy router config is valid again and in use'],
  ]);
});

it('stops trying when the config has changed back, or the watch has ended', async () => {
  lacking = true;
  fallback = 'allow';
  change();
  await pass(0);
  expect(jest.getTimerCount()).toBe(1);
  fallback = 'deny';
  change();
  await pass(0);
  expect(jest.getTimerCount()).toBe(0);
  fallback = 'allow';
  change();
  await pass(0);
  expect(jest.getTimerCount()).toBe(1);
});

it('does not apply a change that is being read when it stops', async () => {
  fallback = 'allow';
  change();
  live.stop();
  await pass(0);
  expect(applied).toEqual([]);
});

it('does not read a change after it has stopped', async () => {
  live.stop();
  const before = readings;
  fallback = 'allow';
  change();
  await pass(0);
  expect([applied, readings]).toEqual([[], before]);
});

describe('what has not changed', () => {
  /** Counts the readings of a whole config, each of which looks at the provided policies once. */
  async function watched(first: object): Promise<{
    readonly next: (policyRouter: object) => Promise<number>;
    readonly applied: string[];
  }> {
    let policyRouter = first;
    let whole = 0;
    let notify = (): void => {};
    const provided = {
      ...NOTHING_PROVIDED,
      get names(): readonly string[] {
        whole++;
        return [];
      },
    };
    const rootConfig = {
      getOptional: (key: string) =>
        new ConfigReader({ permission: { policyRouter } }).getOptional(key),
      subscribe: (onChange: () => void) => {
        notify = onChange;
        return { unsubscribe: () => {} };
      },
    } as unknown as RootConfigService;
    const following = new LiveConfig(rootConfig, logs.logger(), provided);
    const swapped: string[] = [];
    await following.read();
    following.watch(async ({ config }) => {
      swapped.push(`${config.fallback} ${config.deadline}`);
    });
    await pass(0);
    stopFollowing = () => following.stop();
    return {
      applied: swapped,
      next: async changed => {
        policyRouter = changed;
        notify();
        await pass(0);
        return whole;
      },
    };
  }

  let stopFollowing = (): void => {};
  afterEach(() => stopFollowing());

  const table = (more: object = {}): object => ({
    ...tableOf('deny').permission.policyRouter,
    deadline: '2s',
    ...more,
  });

  it('is read once, at the start and after each notice', async () => {
    const { next, applied: swapped } = await watched(table());
    expect(await next(table())).toBe(1);
    expect(await next({ ...table() })).toBe(1);
    expect(swapped).toEqual([]);
  });

  it('is not applied if it is only written in another way', async () => {
    const { next, applied: swapped } = await watched(table());
    expect(await next(table({ deadline: 'PT2S' }))).toBe(2);
    // From then on it is known as it is written now.
    expect(await next(table({ deadline: 'PT2S' }))).toBe(2);
    expect(swapped).toEqual([]);
  });

  it('is applied if anything has changed, and read once for that', async () => {
    const { next, applied: swapped } = await watched(table());
    expect(await next(table({ deadline: '3s' }))).toBe(2);
    expect(await next(table({ deadline: '3s', fallback: 'allow' }))).toBe(3);
    expect(swapped).toEqual(['deny 3000', 'allow 3000']);
  });
});

it('asks Backstage for the config once for each reading', async () => {
  expect(readings).toBe(2);
  fallback = 'allow';
  change();
  await pass(0);
  expect(readings).toBe(3);
});
