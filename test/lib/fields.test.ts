/** The values that many settings share, through settings that have them. */
import { readConfig } from '../../src/config/read';
import {
  config,
  expectProblems,
  problems,
  withOpa,
  type Row,
} from '../support/read-config';

describe('a duration', () => {
  const refused = (value: string) =>
    "~.sources.opa.timeout: must be a duration such as '500ms', '2s', 'PT0.5S' or " +
    `{ milliseconds: 500 }, above zero and at most 2147483647 ms${value}`;

  it.each<Row>([
    ['must not be a bare number', withOpa({ timeout: 500 }), refused(', not 500')],
    [
      'must not be digits without a unit',
      withOpa({ timeout: '500' }),
      refused(', not "500"'),
    ],
    ['must not be negative', withOpa({ timeout: '-1s' }), refused(', not "-1s"')],
    [
      'must not be negative (object)',
      withOpa({ timeout: { seconds: -1 } }),
      refused(''),
    ],
    ['must not be zero', withOpa({ timeout: '0s' }), refused(', not "0s"')],
    ['must not be zero (object)', withOpa({ timeout: { seconds: 0 } }), refused('')],
    ['must not be empty', withOpa({ timeout: '' }), refused(', not ""')],
    [
      'must not be an empty object',
      withOpa({ timeout: {} }),
      refused('. If app-config has variables (${…}) in it, they are not set'),
    ],
    ['must not be a list', withOpa({ timeout: ['1s'] }), refused('')],
    ['must not be a boolean', withOpa({ timeout: true }), refused(', not true')],
    ['must be understood', withOpa({ timeout: 'soon' }), refused(', not "soon"')],
    [
      'must not mix known and unknown units',
      withOpa({ timeout: { seconds: 1, secnds: 1 } }),
      refused(''),
    ],
    [
      'must fit a timer of Node.js, which would fire at once',
      withOpa({ timeout: { milliseconds: 2 ** 31 } }),
      refused(''),
    ],
    [
      'must fit a timer of Node.js (days)',
      withOpa({ timeout: '25d' }),
      refused(', not "25d"'),
    ],
    [
      "of '500m' is minutes, and longer than the deadline",
      withOpa({ timeout: '500m' }),
      '~.sources.opa.timeout: 30000000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('%s', expectProblems);

  it.each([
    ['500ms', 500],
    ['500 ms', 500],
    ['2s', 2000],
    ['PT0.5S', 500],
    ['PT1M', 60_000],
    [{ milliseconds: 500 }, 500],
    [{ seconds: 1, milliseconds: 500 }, 1500],
    [{ milliseconds: '500' }, 500],
    [{ milliseconds: 2 ** 31 - 1 }, 2 ** 31 - 1],
  ])('%j is %d ms', async (deadline, milliseconds) => {
    const raw = {
      ...withOpa({ timeout: { milliseconds: 1 } }),
      deadline,
    };
    expect((await readConfig(raw)).config.deadline).toBe(milliseconds);
  });

  it.each<Row>([
    [
      'of the deadline is reported at the deadline',
      config({ deadline: 'never' }),
      "~.deadline: must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, " +
        'above zero and at most 2147483647 ms, not "never"',
    ],
    [
      'of the breaker is reported at the breaker',
      withOpa({ circuitBreaker: { rollingWindow: 10, resetTimeout: '0ms' } }),
      ...['rollingWindow|10|3600000', 'resetTimeout|"0ms"|2147483647'].map(each => {
        const [key, value, longest] = each.split('|');
        return (
          `~.sources.opa.circuitBreaker.${key}: must be a duration such as '500ms', '2s', 'PT0.5S' or ` +
          `{ milliseconds: 500 }, above zero and at most ${longest} ms, not ${value}`
        );
      }),
    ],
  ])('%s', expectProblems);
});

describe('a whole number', () => {
  it("takes numbers from environment variables: '64' is 64", async () => {
    const { sources } = (
      await readConfig(
        withOpa({
          concurrency: '64',
          queue: '0',
          maxResponseBytes: '2147483647',
          circuitBreaker: {
            errorThreshold: '99',
            volumeThreshold: '1',
          },
        }),
      )
    ).config;
    expect(sources.get('opa')).toMatchObject({
      options: { maxResponseBytes: 2_147_483_647 },
      remote: {
        guard: {
          concurrency: 64,
          queue: 0,
          circuitBreaker: { errorThreshold: 99, volumeThreshold: 1 },
        },
      },
    });
  });

  it.each<[string, object, string]>([
    [
      'has a lower bound',
      { concurrency: 0 },
      'concurrency: must be a whole number from 1 to 10000, not 0',
    ],
    [
      'has an upper bound',
      { concurrency: 10_001 },
      'concurrency: must be a whole number from 1 to 10000, not 10001',
    ],
    [
      'has its bounds as text too',
      { queue: '100001' },
      'queue: must be a whole number from 0 to 100000, not 100001',
    ],
    [
      'must not be negative',
      { queue: -1 },
      'queue: must be a whole number from 0 to 100000, not -1',
    ],
    [
      'must not be negative as text',
      { queue: '-1' },
      'queue: must be a whole number from 0 to 100000, not -1',
    ],
    [
      'has no fraction',
      { concurrency: 1.5 },
      'concurrency: must be a whole number from 1 to 10000, not 1.5',
    ],
    [
      'has no exponent',
      { concurrency: '1e3' },
      'concurrency: must be a whole number from 1 to 10000, not "1e3"',
    ],
    [
      'must not be empty',
      { concurrency: '' },
      'concurrency: must be a whole number from 1 to 10000, not ""',
    ],
    [
      'must not be a word',
      { concurrency: 'many' },
      'concurrency: must be a whole number from 1 to 10000, not "many"',
    ],
    [
      'must not be true',
      { concurrency: true },
      'concurrency: must be a whole number from 1 to 10000, not true',
    ],
    [
      'must not be null',
      { concurrency: null },
      'concurrency: must be a whole number from 1 to 10000',
    ],
    [
      'must not be NaN',
      { concurrency: NaN },
      'concurrency: must be a whole number from 1 to 10000',
    ],
    [
      'of bytes is at least one',
      { maxResponseBytes: 0 },
      'maxResponseBytes: must be a whole number from 1 to 2147483647, not 0',
    ],
    [
      'of percent is less than all',
      { circuitBreaker: { errorThreshold: 100 } },
      'circuitBreaker.errorThreshold: must be a whole number from 1 to 99, not 100',
    ],
    [
      'of questions is at least one',
      { circuitBreaker: { volumeThreshold: 0 } },
      'circuitBreaker.volumeThreshold: must be a whole number from 1 to 1000000, not 0',
    ],
  ])('%s', async (_rule, changes, problem) => {
    const [first, ...others] = await problems(withOpa(changes));
    expect(first).toContain(`~.sources.opa.${problem}`);
    expect(others).toEqual([]);
  });
});
