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
  const read = (source: object): SourceConfig | undefined =>
    sourcesOf(configOf({ team: { ...HOSTED, ...source } }), {
      provided: hosted('team'),
    }).get('team');

  it('has a default for everything', () => {
    expect(read({})).toEqual({
      type: 'hosted',
      options: {},
      remote: {
        guard: {
          timeout: 1000,
          concurrency: 64,
          queue: 2000,
          circuitBreaker: {
            errorThreshold: 50,
            volumeThreshold: 5,
            rollingWindow: 10_000,
            resetTimeout: 10_000,
          },
        },
        onUnavailable: 'fail-closed',
        standby: undefined,
        endpoints: [undefined],
      },
    });
  });

  it('may say everything', () => {
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
    expect(read(source)).toEqual({
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
          },
        },
        onUnavailable: 'fail-open',
        standby: 'deny',
        endpoints: [undefined],
      },
    });
  });

  it('takes the failure mode of all sources, unless it has its own', () => {
    const modeOf = (source: object): unknown => {
      const raw = configOf(
        { team: { ...HOSTED, ...source } },
        { onUnavailable: 'fail-open' },
      );
      const team = sourcesOf(raw, { provided: hosted('team') }).get('team');
      return team?.remote?.onUnavailable;
    };
    expect(modeOf({})).toBe('fail-open');
    expect(modeOf({ onUnavailable: 'fail-closed' })).toBe('fail-closed');
  });

  const KEYS =
    'allowed: type, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby';
  const DURATION =
    "must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, above zero and at most";
  it.each<[what: string, source: object, problem: string]>([
    ['a key of opa', { baseUrl: OPA.baseUrl }, `: unknown key 'baseUrl'; ${KEYS}`],
    ['a policy', { policy: {} }, `: unknown key 'policy'; ${KEYS}`],
    [
      'a timeout of zero',
      { timeout: '0s' },
      `.timeout: ${DURATION} 2147483647 ms, not "0s"`,
    ],
    [
      'a timeout of no unit',
      { timeout: 500 },
      `.timeout: ${DURATION} 2147483647 ms, not 500`,
    ],
    [
      'a timeout as long as the deadline',
      { timeout: '2s' },
      '.timeout: 2000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
    [
      'no concurrency',
      { concurrency: 0 },
      '.concurrency: must be a whole number from 1 to 10000, not 0',
    ],
    [
      'too much concurrency',
      { concurrency: 10_001 },
      '.concurrency: must be a whole number from 1 to 10000, not 10001',
    ],
    [
      'half a place',
      { queue: 0.5 },
      '.queue: must be a whole number from 0 to 100000, not 0.5',
    ],
    [
      'too long a queue',
      { queue: 100_001 },
      '.queue: must be a whole number from 0 to 100000, not 100001',
    ],
    [
      'a breaker that opens at every failure',
      { circuitBreaker: { errorThreshold: 0 } },
      '.circuitBreaker.errorThreshold: must be a whole number from 1 to 99, not 0',
    ],
    [
      'a breaker of another key',
      { circuitBreaker: { enabled: false } },
      ".circuitBreaker: unknown key 'enabled'; allowed: errorThreshold, volumeThreshold, rollingWindow, resetTimeout",
    ],
    [
      'too long a window',
      { circuitBreaker: { rollingWindow: '2h' } },
      `.circuitBreaker.rollingWindow: ${DURATION} 3600000 ms, not "2h"`,
    ],
    [
      'another failure mode',
      { onUnavailable: 'open' },
      ".onUnavailable: must be 'fail-closed' or 'fail-open', not \"open\"",
    ],
    [
      'no name of a standby',
      { standby: '' },
      '.standby: must be the name of a source, not empty',
    ],
  ])('must not have %s', (_what, source, problem) => {
    const raw = configOf({ team: { ...HOSTED, ...source } });
    expect(problems(raw, { provided: hosted('team') })).toEqual([
      `~.sources.team${problem}`,
    ]);
  });
});
