import {
  detailOf,
  RecentDecisions,
  select,
  summaryOf,
  type RecentDecision,
  type Selection,
} from '../../src/trace/recent';
import type { DecisionRecord } from '../../src/trace/record';
import { all, permission, rule } from '../fixtures/builders';
import {
  failure,
  insteadOfOpa,
  observedOf,
  recordOf,
  refused,
  sourceOf,
} from '../support/records';

/** What is kept of these decisions. */
function kept(limit: number, ...records: DecisionRecord[]): RecentDecision[] {
  const recent = new RecentDecisions(limit);
  for (const record of records) recent.sink(record);
  return recent.all();
}

const numbers = (decisions: readonly RecentDecision[]): number[] =>
  decisions.map(({ number }) => number);

const many = (count: number): DecisionRecord[] =>
  Array<DecisionRecord>(count).fill(recordOf());

describe('recent decisions are', () => {
  it('numbered from 1, and the latest ones are kept, from the oldest to the newest', () => {
    expect(numbers(kept(3, ...many(2)))).toEqual([1, 2]);
    expect(numbers(kept(3, ...many(3)))).toEqual([1, 2, 3]);
    expect(numbers(kept(3, ...many(8)))).toEqual([6, 7, 8]);
  });

  it('found by their number while they are kept', () => {
    const recent = new RecentDecisions(3);
    for (const record of many(8)) recent.sink(record);
    const found = [0, 1, 5, 6, 8, 9, -2, 1.5, NaN].map(
      each => recent.get(each)?.number,
    );
    expect(found).toEqual([
      ...[undefined, undefined, undefined, 6, 8],
      ...[undefined, undefined, undefined, undefined],
    ]);
  });

  it('counted though none is kept', () => {
    const recent = new RecentDecisions(0);
    recent.sink(recordOf());
    expect(recent.all()).toEqual([]);
    expect(recent.get(1)).toBeUndefined();
    recent.resize(2);
    recent.sink(recordOf());
    expect(numbers(recent.all())).toEqual([2]);
  });

  it.each([1, 2, 3, 5, 8])(
    'kept when the limit changes to %i, and after that',
    limit => {
      for (const before of [1, 3, 4]) {
        for (let made = 0; made <= 9; made++) {
          const recent = new RecentDecisions(before);
          for (const record of many(made)) recent.sink(record);
          const expected = numbers(recent.all());
          recent.resize(limit);
          expect(numbers(recent.all())).toEqual(expected.slice(-limit));
          for (let next = made + 1; next <= made + 9; next++) {
            recent.sink(recordOf());
            expected.push(next);
            expect(numbers(recent.all())).toEqual(expected.slice(-limit));
            for (const each of expected.slice(-limit)) {
              expect(recent.get(each)?.number).toBe(each);
            }
          }
        }
      }
    },
  );
});

const exchange = { input: 'of-the-policy', response: 'of-the-policy' };
const small = rule('IS_ENTITY_OWNER', { params: { claims: ['group:default/x'] } });
const large = all(
  ...Array.from({ length: 300 }, (_, index) =>
    rule('R', { params: { ref: `group:default/${index}` } }),
  ),
);

describe('a kept decision', () => {
  const only = (record: DecisionRecord): RecentDecision => kept(1, record)[0]!;

  it('is its record, with a number', () => {
    const record = recordOf({ conditions: small });
    expect(only(record)).toEqual({ ...record, number: 1 });
  });

  it('has no inputs and responses', () => {
    const attempts = insteadOfOpa({ standby: true, exchange }).attempts!;
    const asked = only(recordOf({ sources: [sourceOf({ exchange })] }));
    const tried = only(recordOf({ sources: [sourceOf({ attempts })] }));
    const shown = JSON.stringify([asked, tried, detailOf(asked), detailOf(tried)]);
    expect(shown).not.toContain('of-the-policy');
    expect(tried.sources[0]!.attempts).toHaveLength(2);
  });

  it.each([
    ['measured before', { bytes: 20_000, limit: 65_536 }],
    ['not measured', undefined],
  ])('has no large conditions, and says so (%s)', (_, conditionSize) => {
    const decision = only(
      recordOf({
        result: 'CONDITIONAL',
        conditions: large,
        conditionSize,
        sources: [
          sourceOf({ verdict: 'CONDITIONAL', conditions: large }),
          sourceOf({ verdict: 'CONDITIONAL', conditions: small }),
        ],
      }),
    );
    expect(decision).toMatchObject({ conditions: undefined, conditionsLeftOut: true });
    expect(decision.sources).toMatchObject([
      { conditions: undefined, conditionsLeftOut: true },
      { conditions: small },
    ]);
    expect(decision.sources[1]).not.toHaveProperty('conditionsLeftOut');
  });

  it('has small conditions, though those of a source are large', () => {
    const decision = only(
      recordOf({
        result: 'CONDITIONAL',
        conditions: small,
        sources: [sourceOf({ verdict: 'CONDITIONAL', conditions: large })],
      }),
    );
    expect(decision.conditions).toBe(small);
    expect(decision).not.toHaveProperty('conditionsLeftOut');
    expect(decision.sources[0]).toMatchObject({ conditionsLeftOut: true });
  });

  it('counts the refs that are left out', () => {
    const refs = Array.from({ length: 101 }, (_, index) => `group:default/${index}`);
    const most = only(recordOf({ refs: refs.slice(0, 100) }));
    expect(most.refs).toHaveLength(100);
    expect(most).not.toHaveProperty('refsLeftOut');
    const more = only(recordOf({ refs }));
    expect(more.refs).toEqual(refs.slice(0, 100));
    expect(more.refsLeftOut).toBe(1);
  });

  it('is of bounded size', () => {
    const long = 'x'.repeat(100_000);
    const decision = only(
      recordOf({
        reason: long,
        conditions: rule('R', { params: { long } }),
        sources: [
          sourceOf({ reason: long, conditions: rule('R', { params: { a: [long] } }) }),
        ],
      }),
    );
    expect(JSON.stringify(decision).length).toBeLessThan(5000);
  });

  it.each([
    ['of many short values', all(...Array<never>(3000).fill(rule('') as never))],
    [
      'of a long text in several bytes each',
      rule('R', { params: { a: '語'.repeat(2800) } }),
    ],
    ['of long keys', rule('R', { params: { ['k'.repeat(8200)]: 1 } })],
    [
      'of many numbers',
      rule('R', { params: { a: Array<number>(4000).fill(1) as never } }),
    ],
  ])('has no conditions %s', (_, conditions) => {
    expect(only(recordOf({ conditions })).conditionsLeftOut).toBe(true);
  });

  it('has conditions of almost 8 kB', () => {
    const conditions = rule('R', { params: { a: 'x'.repeat(8000) } });
    expect(only(recordOf({ conditions })).conditions).toBe(conditions);
  });
});

describe('what operators see', () => {
  const [decision] = kept(
    1,
    recordOf({
      asked: permission('catalog.entity.delete'),
      declared: 'completed',
      nearest: ["'catalog.location'"],
      result: 'CONDITIONAL',
      reason: 'both',
      conditions: small,
      conditionSize: { bytes: 99, limit: 65_536 },
      milliseconds: 1.5,
      sources: [
        sourceOf({ verdict: 'CONDITIONAL', conditions: small, decisionId: 'an-id' }),
        { ...insteadOfOpa({ source: 'embedded', standby: true }), failure: refused },
      ],
    }),
  ) as [RecentDecision];
  const ofResource = {
    name: 'catalog.entity.delete',
    type: 'resource',
    action: 'delete',
    resourceType: 'catalog-entity',
  };
  const since = '2027-01-31T12:04:31.000Z';

  it('in a list has neither refs nor conditions', () => {
    expect(JSON.parse(JSON.stringify(summaryOf(decision)))).toEqual({
      number: 1,
      at: since,
      user: 'user:default/olivia',
      permission: ofResource,
      asked: { name: 'catalog.entity.delete', type: 'basic' },
      declared: 'completed',
      route: "'catalog'",
      routeIndex: 2,
      result: 'CONDITIONAL',
      reason: 'both',
      milliseconds: 1.5,
      outage: true,
      sources: [
        { source: 'opa', verdict: 'CONDITIONAL' },
        {
          source: 'opa',
          verdict: 'ALLOW',
          failure: { class: 'unavailable', code: 'ECONNREFUSED', since },
        },
      ],
    });
  });

  it('of a single one is all that is kept', () => {
    const failed = {
      class: 'unavailable',
      code: 'ECONNREFUSED',
      since,
      message: 'why',
    };
    expect(JSON.parse(JSON.stringify(detailOf(decision)))).toEqual({
      ...(JSON.parse(JSON.stringify(summaryOf(decision))) as object),
      refs: ['user:default/olivia', 'group:default/payments'],
      nearest: ["'catalog.location'"],
      conditions: small,
      conditionSize: { bytes: 99, limit: 65_536 },
      sources: [
        {
          source: 'opa',
          verdict: 'CONDITIONAL',
          reason: 'why',
          milliseconds: 1,
          conditions: small,
          decisionId: 'an-id',
        },
        {
          source: 'opa',
          verdict: 'ALLOW',
          reason: 'why',
          milliseconds: 1,
          failure: failed,
          attempts: [
            {
              source: 'opa',
              standby: false,
              verdict: 'FAILED',
              milliseconds: 1,
              failure: failed,
            },
            { source: 'embedded', standby: true, verdict: 'ALLOW', milliseconds: 1 },
          ],
        },
      ],
    });
  });

  it('of a request that could not be read is what there is', () => {
    const [unread] = kept(1, recordOf({ permission: undefined, sources: [] }));
    expect(summaryOf(unread!)).toMatchObject({ permission: undefined, outage: false });
  });
});

describe('a query selects', () => {
  const named = (name: string, fields: Partial<DecisionRecord> = {}): DecisionRecord =>
    recordOf({ permission: permission(name), ...fields });
  const decisions = kept(
    10,
    named('catalog.entity.read', { result: 'ALLOW' }),
    named('catalog.entity', { user: 'user:default/Nolan' }),
    named('catalog.entityx', { user: undefined }),
    named('cost/read', { sources: [sourceOf({ failure: refused })] }),
    named('odd, name', { failure: failure('overloaded', 'NO_TURN') }),
    named('a..b', { sources: [sourceOf({ failure: failure('invalid', 'BAD_JSON') })] }),
    recordOf({ permission: undefined, result: 'CONDITIONAL' }),
  );

  it.each<[Selection, number[]]>([
    [{}, [1, 2, 3, 4, 5, 6, 7]],
    [{ after: 5 }, [6, 7]],
    [{ after: 7 }, []],
    [{ result: 'ALLOW' }, [1]],
    [{ result: 'CONDITIONAL' }, [7]],
    [{ user: 'user:default/nolan' }, [2]],
    [{ user: 'User:default/NOLAN' }, [2]],
    [{ permission: 'catalog.entity' }, [1, 2]],
    [{ permission: 'catalog.entity.*' }, [1, 2]],
    [{ permission: 'catalog.entity.read' }, [1]],
    [{ permission: 'cost/' }, [4]],
    [{ permission: 'odd, name' }, [5]],
    [{ permission: 'a..b' }, [6]],
    [{ permission: '' }, [1, 2, 3, 4, 5, 6]],
    [{ outage: true }, [4, 5]],
    [{ outage: false }, [1, 2, 3, 6, 7]],
    [{ limit: 2 }, [6, 7]],
    [{ limit: 0 }, []],
    [{ limit: -1 }, []],
    [{ after: 2, limit: 2 }, [3, 4]],
    [{ after: 1, result: 'DENY', outage: false, limit: 1 }, [2]],
  ])('%j', (query, expected) => {
    expect(numbers(select(decisions, query))).toEqual(expected);
  });

  it('at most 500', () => {
    const all600 = kept(600, ...many(600));
    expect(numbers(select(all600, {})).at(0)).toBe(101);
    expect(select(all600, { limit: 10_000 })).toHaveLength(500);
  });
});

describe('an observed decision', () => {
  const observed = observedOf({ until: Date.parse('2027-02-28') });

  it('says in a list what was given, and by whom', () => {
    const [decision] = kept(1, recordOf({ observed }));
    expect(summaryOf(decision!)).toMatchObject({
      result: 'DENY',
      observed: { answer: 'team', result: 'ALLOW' },
    });
    const [enforced] = kept(1, recordOf());
    expect(summaryOf(enforced!).observed).toBeUndefined();
  });

  it('has all of it in its detail', () => {
    const [decision] = kept(1, recordOf({ observed }));
    expect(detailOf(decision!).observed).toMatchObject({
      answer: 'team',
      until: '2027-02-28T00:00:00.000Z',
      result: 'ALLOW',
      source: { source: 'team', verdict: 'ALLOW' },
    });
  });

  it('is selected, or left out', () => {
    const all = kept(3, recordOf({ observed }), recordOf(), recordOf({ observed }));
    expect(numbers(select(all, { observed: true }))).toEqual([1, 3]);
    expect(numbers(select(all, { observed: false }))).toEqual([2]);
  });

  it('has an outage if only the answering source has one', () => {
    const source = sourceOf({ source: 'team', failure: refused });
    const [decision] = kept(1, recordOf({ observed: observedOf({ source }) }));
    expect(summaryOf(decision!).outage).toBe(true);
  });

  it('is kept in bounded size, without what a Rego policy was asked', () => {
    const large = rule('HAS_LABEL', { params: { label: 'x'.repeat(10_000) } });
    const secret = { input: 'hunter2' };
    const [decision] = kept(
      1,
      recordOf({
        observed: observedOf({
          reason: 'y'.repeat(10_000),
          result: 'CONDITIONAL',
          conditions: large,
          source: sourceOf({ conditions: large, exchange: secret }),
        }),
      }),
    );
    expect(decision!.observed).toMatchObject({
      conditions: undefined,
      conditionsLeftOut: true,
      source: { conditions: undefined, conditionsLeftOut: true },
    });
    const text = JSON.stringify(decision);
    expect(text.length).toBeLessThan(4000);
    expect(text).not.toContain('hunter2');
  });
});
