import { comparisonTable, ratiosIn, spreadText, type Comparison } from './comparison';
import { elementsOf } from './well-formed';

const entry = (id: string, values: readonly number[]) => ({
  id,
  title: `the ${id}`,
  isRouter: id === 'router',
  values,
  more: ['1.0'],
});

const COMPARISON: Comparison = {
  id: 'speeds',
  title: 'Speeds',
  text: '',
  unit: 'requests/s',
  to: [
    { id: 'plain', name: 'of plain' },
    { id: 'absent', name: 'of absent' },
  ],
  more: ['p50 ms'],
  groups: [
    {
      title: '1 item',
      // The machine was twice as slow in the second round.
      entries: [entry('plain', [1000, 500, 1000]), entry('router', [800, 400, 900])],
    },
  ],
  chart: { of: 'ratio', scale: 'linear' },
};

it('compares the values of the same round', () => {
  expect(ratiosIn(COMPARISON.groups[0]!, 'router', 'plain')).toEqual([0.8, 0.8, 0.9]);
});

it('shows medians with the quartiles, and leaves out who was not measured', () => {
  const { head, rows, words } = comparisonTable(COMPARISON);
  expect(words).toBe(2);
  expect([head, ...rows]).toEqual([
    ['', '', 'requests/s', 'of plain', 'p50 ms'],
    ['1 item', 'the plain', '1,000', '1.00 (1.00 to 1.00)', '1.0'],
    ['', 'the router', '800', '0.80 (0.80 to 0.85)', '1.0'],
  ]);
});

it('has a bar for each contestant', () => {
  const values = elementsOf(comparisonTable(COMPARISON).chart)
    .filter(({ attributes }) => attributes.class === 'value')
    .map(({ text }) => text);
  expect(values).toEqual(['1', '0.8']);
});

it.each([
  [{ low: 0.9, median: 0.95, high: 1 }, '0.95 (0.90 to 1.00)'],
  [{ low: 9.99, median: 12.34, high: 1234 }, '12.3 (9.99 to 1,234)'],
  [{ low: NaN, median: NaN, high: NaN }, ''],
])('%p is written as %p', (spread, text) => {
  expect(spreadText(spread)).toBe(text);
});
