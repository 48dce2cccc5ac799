import { warnOfLargeConditions } from '../../src/trace/size-log';
import type { DecisionRecord } from '../../src/trace/record';
import { CapturedLogs } from '../support/captured-logs';

/** What is logged of decisions with conditions of so many bytes, one after the other. */
function logged(...decisions: Array<[route: string, bytes?: number, limit?: number]>) {
  const logs = new CapturedLogs();
  const sink = warnOfLargeConditions(logs.logger());
  for (const [route, bytes, limit = 800] of decisions) {
    const conditionSize = bytes === undefined ? undefined : { bytes, limit };
    sink({ route, conditionSize } as DecisionRecord);
  }
  return logs.lines.map(({ level, message }) => `${level} ${message}`);
}

const A = "'a'";
const B = "'b'";

describe('large conditions', () => {
  it('are warned of with the route, the size, the limit and what will fail', () => {
    expect(logged([A, 101])).toEqual([
      `warn ${A}: conditions of 101 bytes, at least an eighth of maxConditionBytes (800). ` +
        'Backstage sends the conditions of a whole batch in one request of at most 100 kB, so a batch of 1014 or more will fail',
    ]);
  });

  it.each([
    [8193, 13],
    [10_240, 10],
    [10_241, 10],
    [60_000, 2],
    [90_000, 2],
  ])('of %i bytes fail in a batch of %i', (bytes, items) => {
    expect(logged([A, bytes, 65_536])[0]).toContain(`a batch of ${items} or more `);
    // With them the plugin takes one less, at most.
    expect((items - 1) * bytes).toBeLessThanOrEqual(102_400);
    expect(items * bytes).toBeGreaterThanOrEqual(102_400);
  });

  it.each([
    ['a byte over an eighth', 101, 800, 1],
    ['a byte below an eighth', 99, 800, 0],
    ['a byte over an eighth that is not a whole number', 101, 807, 1],
    ['a byte below an eighth that is not a whole number', 100, 807, 0],
    ['the default limit itself', 65_536, 65_536, 1],
    ['a byte over an eighth of the default limit', 8193, 65_536, 1],
    ['a byte below an eighth of the default limit', 8191, 65_536, 0],
    ['all conditions, where the limit is that low', 2, 7, 1],
    ['no byte at all', 0, 800, 0],
  ])('are distinguished from small ones: %s', (_what, bytes, limit, warnings) => {
    expect(logged([A, bytes, limit])).toHaveLength(warnings);
  });

  it('are warned of once per route', () => {
    expect(logged([A, 101], [A, 101], [A, 700])).toHaveLength(1);
    const both = logged([A, 101], [B, 102], [A, 103], [B, 104]);
    expect(both).toHaveLength(2);
    expect(both[0]).toContain(`${A}: conditions of 101 bytes`);
    expect(both[1]).toContain(`${B}: conditions of 102 bytes`);
  });

  it('are warned of though small ones of the route came first', () => {
    expect(logged([A, 1], [A], [A, 101])).toHaveLength(1);
  });

  it('are not warned of if the decision is not conditional', () => {
    expect(logged([A], ['fallback'])).toEqual([]);
  });

  it('are counted by each sink separately', () => {
    expect([...logged([A, 101]), ...logged([A, 101])]).toHaveLength(2);
  });
});
