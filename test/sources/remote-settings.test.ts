/** The settings of every source that must be waited for. */
import { KINDS } from '../../src/sources/kinds';
import { configOf, hosted, HOSTED, OPA, problems } from '../support/read-config';

/** The shortest config of each kind. */
const SHORTEST = [OPA, HOSTED];

it('these kinds are remote', () => {
  const remote = KINDS.filter(({ isRemote }) => isRemote).map(({ type }) => type);
  expect(SHORTEST.map(({ type }) => type)).toEqual(remote);
});

describe.each(SHORTEST)('a source of type $type', shortest => {
  const problemsOf = async (changes: object): Promise<string[]> =>
    await problems(configOf({ team: { ...shortest, ...changes } }), {
      provided: shortest === HOSTED ? hosted('team') : hosted(),
    });

  const DURATION =
    "must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, above zero and at most";
  it.each<[what: string, source: object, problem: string]>([
    [
      'a timeout of zero',
      { timeout: '0s' },
      `.timeout: ${DURATION} 2147483647 ms, not "0s"`,
    ],
    [
      'a timeout without a unit',
      { timeout: 500 },
      `.timeout: ${DURATION} 2147483647 ms, not 500`,
    ],
    [
      'a concurrency of zero',
      { concurrency: 0 },
      '.concurrency: must be a whole number from 1 to 10000, not 0',
    ],
    [
      'too much concurrency',
      { concurrency: 10_001 },
      '.concurrency: must be a whole number from 1 to 10000, not 10001',
    ],
    [
      'a queue of half a place',
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
      'a breaker with an unknown key',
      { circuitBreaker: { enabled: false } },
      ".circuitBreaker: unknown key 'enabled'; allowed: errorThreshold, volumeThreshold, rollingWindow, resetTimeout, distinctUsers",
    ],
    [
      'a breaker that no user can open',
      { circuitBreaker: { distinctUsers: 0 } },
      '.circuitBreaker.distinctUsers: must be a whole number from 1 to 1000, not 0',
    ],
    [
      'a breaker that needs too many users',
      { circuitBreaker: { distinctUsers: 1001 } },
      '.circuitBreaker.distinctUsers: must be a whole number from 1 to 1000, not 1001',
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
      'an empty name of a standby',
      { standby: '' },
      '.standby: must be the name of a source, not empty',
    ],
  ])('must not have %s', async (_what, changes, problem) => {
    expect(await problemsOf(changes)).toEqual([`~.sources.team${problem}`]);
  });

  it.each<[what: string, changes: object]>([
    ['the shortest times', { timeout: '1ms', circuitBreaker: { resetTimeout: '1ms' } }],
    ['the longest window', { circuitBreaker: { rollingWindow: '1h' } }],
    ['the most users', { circuitBreaker: { distinctUsers: 1000 } }],
    ['no queue', { queue: 0 }],
    ['the largest numbers', { concurrency: 10_000, queue: 100_000 }],
    ['a standby', { standby: 'deny' }],
    ['a failure mode', { onUnavailable: 'fail-open' }],
  ])('may have %s', async (_what, changes) => {
    expect(await problemsOf(changes)).toEqual([]);
  });
});
