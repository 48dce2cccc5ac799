import type { Growing } from './measure';
import { panelsOf, render } from './page';
import { rowOf } from './report';
import type { Stage } from './stage';

const MACHINE = {
  node: 'v20.20.2',
  cores: 2,
  processor: 'a processor',
  date: '2026-07-31',
};

const growing = (
  title: string,
  times: readonly number[],
  stoppedAt?: number,
): Growing => {
  const sizes = [10, 100, 1000];
  const stage: Stage = {
    id: title,
    subject: title === 'identity' ? 'groups' : 'routes',
    title,
    sizes,
    prepare: () => ({ next: () => () => undefined, isRight: () => true }),
  };
  const points = times.map((time, index) => ({
    size: sizes[index]!,
    time,
    hold: undefined,
  }));
  return { stage, points, stoppedAt };
};

const ROWS = [
  growing('read', [100, 1000, 12_000]),
  growing('ties', [100, 10_000], 1000),
  growing('identity', [1, 2, 4]),
].map(rowOf);

it('the page shows ratios and growth, but no times', () => {
  const tables = render(ROWS, MACHINE)
    .split('\n')
    .filter(line => line.startsWith('|'));
  expect(tables).toEqual([
    '|  | 10 | 100 | 1,000 | growth |',
    '| --- | --: | --: | --: | --: |',
    '| read | 1 | ×10 | ×12 | n^1.08 |',
    '| ties | 1 | ×100 | too slow | **n^2.00, worse than n log n** |',
    '|  | 10 | 100 | 1,000 | growth |',
    '| --- | --: | --: | --: | --: |',
    '| identity | 1 | ×2.0 | ×2.0 | too fast to tell |',
  ]);
});

it('the page says where and when it was measured', () => {
  expect(render(ROWS, MACHINE)).toContain(
    'Measured on 2026-07-31 with Node.js v20.20.2 on 2 cores (a processor).',
  );
});

it('the chart has a panel for each subject and a line for each stage', () => {
  const titles = panelsOf(ROWS).map(({ title, lines }) => [
    title,
    ...lines.map(line => line.title),
  ]);
  expect(titles).toEqual([
    ['routes', 'read', 'ties'],
    ['groups', 'identity'],
  ]);
});
