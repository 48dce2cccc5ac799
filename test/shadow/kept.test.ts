import { Kept } from '../../src/shadow/kept';
import { rule } from '../fixtures/builders';
import { recordOf, sourceOf } from '../support/records';

const PAIR = { replaced: 'opa', by: 'next' };

it('keeps differences of bounded size', () => {
  const kept = new Kept();
  const large = rule('a', { params: { text: 'x'.repeat(10_000) } });
  const long = 'because '.repeat(1000);
  const record = recordOf({
    reason: long,
    result: 'CONDITIONAL',
    conditions: large,
    sources: Array.from({ length: 30 }, () =>
      sourceOf({ reason: long, conditions: large }),
    ),
  });
  kept.add(PAIR, record, { kind: 'differs', record });
  const [{ live, shadow }] = kept.differences as [(typeof kept.differences)[0]];
  expect(live).toMatchObject({ conditions: undefined, conditionsLeftOut: true });
  expect(live.reason).toHaveLength(500);
  expect(shadow.sources).toHaveLength(20);
  expect(shadow.sources[0]).toEqual({
    source: 'opa',
    verdict: 'DENY',
    reason: live.reason,
  });
  expect(JSON.stringify(kept.differences).length).toBeLessThan(15_000);
});

it('counts each route and each replaced source by itself', () => {
  const kept = new Kept();
  kept.add(PAIR, recordOf(), { kind: 'same' });
  kept.add(PAIR, recordOf(), { kind: 'undetermined', why: 'hosted' });
  kept.add({ replaced: 'own', by: 'next' }, recordOf(), { kind: 'skipped' });
  kept.add(PAIR, recordOf({ route: "'other'" }), { kind: 'same' });
  const none = { live_failure: 0, shadow_failure: 0, hosted: 0 };
  const counts = { same: 0, differs: 0, undetermined: none, skipped: 0 };
  expect(kept.counts).toEqual([
    {
      route: "'catalog'",
      ...PAIR,
      ...counts,
      same: 1,
      undetermined: { ...none, hosted: 1 },
    },
    { route: "'catalog'", replaced: 'own', by: 'next', ...counts, skipped: 1 },
    { route: "'other'", ...PAIR, ...counts, same: 1 },
  ]);
  kept.keepRoutes(new Set(["'other'"]));
  expect(kept.counts.map(({ route }) => route)).toEqual(["'other'"]);
});
