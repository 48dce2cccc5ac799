import { newRecord } from '../../src/trace/record';

it('a record that no stage has filled in says DENY', () => {
  expect(newRecord()).toMatchObject({
    result: 'DENY',
    reason: 'not decided',
    sources: [],
  });
});

it('records share nothing', () => {
  const [one, other] = [newRecord(), newRecord()];
  one.sources.push({ source: 'opa', verdict: 'NOT_ASKED' });
  expect(other.sources).toEqual([]);
});
