import { ObservedSums, type SumSelection } from '../../src/trace/observed-sums';
import type { DecisionRecord, ObservedRecord } from '../../src/trace/record';
import { permission, rule } from '../fixtures/builders';
import { AT, observedOf, recordOf, sourceOf } from '../support/records';

const owner = rule('IS_ENTITY_OWNER');

let number: number;
let sums: ObservedSums;
beforeEach(() => {
  number = 0;
  sums = new ObservedSums('a1', () => number);
});

function add(
  fields: Partial<DecisionRecord>,
  given: Partial<ObservedRecord> = {},
): void {
  number++;
  sums.sink(recordOf({ observed: observedOf(given), ...fields }));
}

const conditionally = {
  result: 'CONDITIONAL' as const,
  pluginId: 'catalog',
  conditions: owner,
  sources: [sourceOf({ verdict: 'CONDITIONAL', conditions: owner })],
};
const allowed: Partial<DecisionRecord> = {
  result: 'ALLOW',
  sources: [sourceOf({ verdict: 'ALLOW' })],
};

/** `count result given deniedBy` of each sum. */
const listed = (selection?: SumSelection): string[] =>
  sums
    .answer(selection)
    .sums.map(({ count, result, given, deniedBy }) =>
      [count, result, given, deniedBy ?? '-'].join(' '),
    );

it('sums what would be denied, with what it has in common', () => {
  add({ at: AT + 5 });
  add({ at: AT });
  add({ at: AT + 9 });
  expect(sums.answer()).toEqual({
    since: expect.any(String) as string,
    digest: 'a1',
    totals: {
      observed: 3,
      wouldBeDenied: 3,
      wouldBeAllowed: 0,
      dependsOnResource: 0,
      leftOut: 0,
    },
    found: 1,
    sums: [
      {
        route: "'catalog'",
        user: 'user:default/olivia',
        permission: 'catalog.entity.delete',
        action: 'delete',
        result: 'DENY',
        given: 'ALLOW',
        deniedBy: 'opa',
        count: 3,
        first: '2027-01-31T12:04:31.000Z',
        last: '2027-01-31T12:04:31.009Z',
        lastNumber: 3,
      },
    ],
  });
});

it.each<
  [
    what: string,
    fields: Partial<DecisionRecord>,
    given: Partial<ObservedRecord>,
    sum: string | undefined,
    total: string | undefined,
  ]
>([
  ['DENY for ALLOW', {}, {}, '1 DENY ALLOW opa', 'wouldBeDenied'],
  [
    'DENY for CONDITIONAL',
    {},
    conditionally,
    '1 DENY CONDITIONAL opa',
    'wouldBeDenied',
  ],
  ['DENY of the fallback', { sources: [] }, {}, '1 DENY ALLOW -', 'wouldBeDenied'],
  [
    'CONDITIONAL for ALLOW',
    conditionally,
    {},
    '1 CONDITIONAL ALLOW -',
    'dependsOnResource',
  ],
  [
    'CONDITIONAL for other conditions',
    conditionally,
    { ...conditionally, conditions: rule('HAS_LABEL') },
    '1 CONDITIONAL CONDITIONAL -',
    'dependsOnResource',
  ],
  ['ALLOW for DENY', allowed, { result: 'DENY' }, '1 ALLOW DENY -', 'wouldBeAllowed'],
  ['ALLOW for ALLOW', allowed, {}, undefined, undefined],
  ['DENY for DENY', {}, { result: 'DENY' }, undefined, undefined],
  [
    'CONDITIONAL for the same conditions',
    conditionally,
    { ...conditionally, conditions: rule('IS_ENTITY_OWNER') },
    undefined,
    undefined,
  ],
  ['what is enforced', { observed: undefined }, {}, undefined, undefined],
])('%s', (_what, fields, given, sum, total) => {
  add(fields, given);
  expect(listed()).toEqual(sum === undefined ? [] : [sum]);
  const { observed, ...others } = sums.answer().totals;
  expect(observed).toBe('observed' in fields ? 0 : 1);
  const counted = Object.entries(others).filter(([, count]) => count > 0);
  expect(counted).toEqual(total === undefined ? [] : [[total, 1]]);
});

describe('the sums', () => {
  const named = (name: string) => permission(name, { action: 'read' });
  beforeEach(() => {
    add({ permission: named('catalog.entity.read') });
    for (let count = 0; count < 3; count++) {
      add({ permission: named('catalog.location.read'), user: 'user:default/Nolan' });
    }
    add({
      permission: named('other'),
      route: 'fallback',
      sources: [],
      user: undefined,
    });
    add({
      permission: named('other'),
      route: 'fallback',
      sources: [],
      user: undefined,
    });
  });

  it.each<[what: string, selection: SumSelection, counts: number[]]>([
    ['all', {}, [3, 2, 1]],
    ['of a route', { route: 'fallback' }, [2]],
    ['of a user, in any case', { user: 'user:default/nolan' }, [3]],
    ['of a prefix', { permission: 'catalog' }, [3, 1]],
    ['of a name', { permission: 'catalog.entity.read' }, [1]],
    ['the largest ones', { limit: 2 }, [3, 2]],
    ['none', { route: 'nothing' }, []],
  ])('that fit: %s', (_what, selection, counts) => {
    const { sums: found, found: count } = sums.answer(selection);
    expect(found.map(each => each.count)).toEqual(counts);
    expect(count).toBe('limit' in selection ? 3 : counts.length);
  });

  it('are dropped with the table that they are of, and kept with the same one', () => {
    sums.reloaded('a1');
    expect(sums.answer().totals.observed).toBe(6);
    sums.reloaded('b2');
    expect(sums.answer()).toMatchObject({
      digest: 'b2',
      totals: { observed: 0, wouldBeDenied: 0, leftOut: 0 },
      sums: [],
    });
  });
});

it('keeps 10,000 sums, counts the rest, and answers 1,000', () => {
  for (let user = 0; user < 10_003; user++) add({ user: `user:default/u${user}` });
  add({ user: 'user:default/u0' });
  const { totals, sums: found, found: count } = sums.answer();
  expect(totals).toMatchObject({ observed: 10_004, wouldBeDenied: 10_004, leftOut: 3 });
  expect([found.length, count]).toEqual([1000, 10_000]);
  expect(found[0]).toMatchObject({ user: 'user:default/u0', count: 2 });
});

it('keeps 1,000 sums of one user, so that nobody can take the place of all others', () => {
  const asking = (name: string) => ({ permission: permission(name) });
  for (let index = 0; index < 1003; index++) add(asking(`x${index}`));
  add({ ...asking('x0'), user: 'user:default/nolan' });
  add(asking('x0'));
  const { totals, found } = sums.answer();
  expect(totals).toMatchObject({ observed: 1005, leftOut: 3 });
  expect(found).toBe(1001);
  sums.reloaded('b2');
  add(asking('x0'));
  expect(sums.answer().found).toBe(1);
});

it('keeps no huge text', () => {
  add({
    user: `user:default/${'x'.repeat(100_000)}`,
    sources: [sourceOf({ source: 'y'.repeat(100_000) })],
  });
  expect(JSON.stringify(sums.answer()).length).toBeLessThan(2000);
});
