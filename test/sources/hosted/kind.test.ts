import type { SourceConfig } from '../../../src/sources/kind';
import {
  configOf,
  hosted,
  HOSTED,
  OPA,
  problems,
  sourcesOf,
} from '../../support/read-config';

describe('a source of type hosted', () => {
  const read = async (source: object): Promise<SourceConfig | undefined> =>
    (
      await sourcesOf(configOf({ team: { ...HOSTED, ...source } }), {
        provided: hosted('team'),
      })
    ).get('team');

  it('has a default for everything', async () => {
    expect(await read({})).toEqual({
      type: 'hosted',
      options: {},
      remote: {
        guard: {
          timeout: 1000,
          concurrency: 2000,
          queue: 2000,
          circuitBreaker: {
            errorThreshold: 50,
            volumeThreshold: 5,
            rollingWindow: 10_000,
            resetTimeout: 10_000,
            distinctUsers: 1,
          },
        },
        onUnavailable: 'fail-closed',
        standby: undefined,
        endpoints: [undefined],
      },
    });
  });

  it('may set everything', async () => {
    const source = {
      timeout: { milliseconds: 750 },
      concurrency: '8',
      queue: 0,
      circuitBreaker: {
        errorThreshold: 1,
        volumeThreshold: 1,
        rollingWindow: '1h',
        resetTimeout: 'PT1S',
      },
      onUnavailable: 'fail-open',
      standby: 'deny',
    };
    expect(await read(source)).toEqual({
      type: 'hosted',
      options: {},
      remote: {
        guard: {
          timeout: 750,
          concurrency: 8,
          queue: 0,
          circuitBreaker: {
            errorThreshold: 1,
            volumeThreshold: 1,
            rollingWindow: 3_600_000,
            resetTimeout: 1000,
            distinctUsers: 1,
          },
        },
        onUnavailable: 'fail-open',
        standby: 'deny',
        endpoints: [undefined],
      },
    });
  });

  it('takes the failure mode of all sources, unless it has its own', async () => {
    const modeOf = async (source: object): Promise<unknown> => {
      const raw = configOf(
        { team: { ...HOSTED, ...source } },
        { onUnavailable: 'fail-open' },
      );
      const team = (await sourcesOf(raw, { provided: hosted('team') })).get('team');
      return team?.remote?.onUnavailable;
    };
    expect(await modeOf({})).toBe('fail-open');
    expect(await modeOf({ onUnavailable: 'fail-closed' })).toBe('fail-closed');
  });

  const KEYS =
    'allowed: type, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby';
  it.each<[what: string, source: object, problem: string]>([
    ['a key of opa', { baseUrl: OPA.baseUrl }, `: unknown key 'baseUrl'; ${KEYS}`],
    ['a policy', { policy: {} }, `: unknown key 'policy'; ${KEYS}`],
    [
      'a timeout as long as the deadline',
      { timeout: '2s' },
      '.timeout: 2000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('must not have %s', async (_what, source, problem) => {
    const raw = configOf({ team: { ...HOSTED, ...source } });
    expect(await problems(raw, { provided: hosted('team') })).toEqual([
      `~.sources.team${problem}`,
    ]);
  });
});
