import { ASK_AGAIN_AFTER, WrittenCheck } from '../../src/conditions/written';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { rule } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { none, published, unread } from '../support/rule-directory';

const LABEL = {
  name: 'HAS_LABEL',
  resourceType: 'catalog-entity',
  paramsSchema: { type: 'object', properties: { label: { type: 'string' } } },
};

let logs: CapturedLogs;
let metadata: RuleMetadata;
let reads: string[];
let check: WrittenCheck;

beforeEach(() => {
  jest.useFakeTimers();
  logs = new CapturedLogs();
  metadata = published(LABEL);
  reads = [];
  check = new WrittenCheck(async pluginId => {
    reads.push(pluginId);
    return metadata;
  }, logs.logger());
});

afterEach(() => {
  check.stop();
  jest.useRealTimers();
});

const written = (
  name: string,
  params: object = {},
  resourceTypes: readonly string[] | undefined = ['catalog-entity'],
  pluginId = 'catalog',
) => ({
  place: `rules of ${name}`,
  pluginId,
  resourceTypes,
  conditionsFor: (resourceType: string) =>
    rule(name, { resourceType, params: params as never }),
});
const anyType = (name: string, params: object = {}) => ({
  ...written(name, params),
  resourceTypes: undefined,
});

/** What it has logged after some time. */
async function warnings(milliseconds = 0): Promise<string[]> {
  await jest.advanceTimersByTimeAsync(milliseconds);
  return logs.lines.map(({ level, message }) => `${level} ${message}`);
}

const told = (name: string, why: string): string =>
  `warn rules of ${name}: these conditions cannot be applied, so what they decide is denied: ${why}`;

describe('conditions in the config', () => {
  it.each([
    ['are fine', written('HAS_LABEL', { label: 'a' })],
    ['are fine for any type, if there is one', anyType('HAS_LABEL', { label: 'a' })],
  ])('that %s cause no warning', async (_what, each) => {
    check.begin([each]);
    expect(await warnings(10 * ASK_AGAIN_AFTER)).toEqual([]);
    expect(reads).toEqual(['catalog']);
  });

  it.each([
    [
      'an unknown rule',
      written('HAS_LABLE'),
      'plugin "catalog" has no rule "HAS_LABLE" for resource type "catalog-entity"',
    ],
    [
      'a rule of another resource type',
      written('HAS_LABEL', {}, ['catalog-entity', 'other']),
      'plugin "catalog" has no rule "HAS_LABEL" for resource type "other"',
    ],
    [
      'a rule that it has for no type',
      anyType('HAS_LABLE'),
      'plugin "catalog" has no rule "HAS_LABLE" for resource type "catalog-entity"',
    ],
    [
      'a misspelt parameter',
      written('HAS_LABEL', { lable: 'a' }),
      'rule "HAS_LABEL": "params" must NOT have additional properties: "lable"',
    ],
  ])('with %s are warned of once', async (_what, each, why) => {
    check.begin([each]);
    const expected = [told(each.place.replace('rules of ', ''), why)];
    expect(await warnings()).toEqual(expected);
    expect(await warnings(10 * ASK_AGAIN_AFTER)).toEqual(expected);
  });

  it.each([written('R'), anyType('R')])(
    'of an unknown plugin are warned of',
    async each => {
      metadata = none;
      check.begin([each]);
      expect(await warnings()).toEqual([
        told('R', 'plugin "catalog" publishes no permission rules (HTTP 404)'),
      ]);
    },
  );

  it('are looked at again until their plugin can be asked', async () => {
    metadata = unread;
    check.begin([written('HAS_LABLE')]);
    expect(await warnings(3 * ASK_AGAIN_AFTER)).toEqual([]);
    metadata = published(LABEL);
    expect(await warnings(ASK_AGAIN_AFTER)).toEqual([
      told(
        'HAS_LABLE',
        'plugin "catalog" has no rule "HAS_LABLE" for resource type "catalog-entity"',
      ),
    ]);
    await warnings(10 * ASK_AGAIN_AFTER);
    expect(reads).toHaveLength(5);
  });

  it('are asked about one plugin after the other, all of them', async () => {
    metadata = none;
    check.begin([
      written('A', {}, [], 'a'),
      written('B', {}, undefined, 'b'),
      written('C'),
    ]);
    await warnings();
    expect(reads).toEqual(['a', 'b', 'catalog']);
  });

  it.each([
    ['are replaced', () => check.begin([])],
    ['are no longer in use', () => check.stop()],
  ])('are not looked at once they %s', async (_what, end) => {
    metadata = unread;
    check.begin([written('HAS_LABLE')]);
    await warnings();
    metadata = none;
    end();
    expect(await warnings(10 * ASK_AGAIN_AFTER)).toEqual([]);
    expect(reads).toHaveLength(1);
  });

  it.each([
    ['are replaced', () => check.begin([])],
    ['are no longer in use', () => check.stop()],
  ])('that %s while their plugin is asked are not warned of', async (_what, end) => {
    metadata = none;
    check.begin([written('HAS_LABLE')]);
    expect(reads).toEqual(['catalog']);
    end();
    expect(await warnings()).toEqual([]);
  });

  it('do no harm if they cannot be looked at', async () => {
    check.begin([
      {
        ...written('R'),
        conditionsFor: () => {
          throw new Error('oops');
        },
      },
    ]);
    expect(await warnings(ASK_AGAIN_AFTER)).toEqual([]);
  });
});
