import { renderReport } from './report-page';
import type { Outcome } from './section';

const MACHINE = {
  node: 'v20.20.2',
  cores: 2,
  processor: 'a processor',
  date: '2026-07-31',
};

const OUTCOME: Outcome = {
  tables: [
    {
      id: 'authorize-distinct',
      title: '/authorize',
      text: 'What the numbers are.',
      head: ['', '', 'requests/s'],
      words: 2,
      rows: [
        ['1 item, c=1', 'allow-all', '1,000'],
        ['', 'router', '970'],
      ],
      chart: '<svg/>',
    },
  ],
  targets: [
    { what: 'router / allow-all', aim: '≥ 0.97', measured: '0.97', isMet: true },
    { what: 'OPA / undici', aim: '≥ 0.90', measured: '0.85', isMet: false },
  ],
  wrong: [],
};

const page = renderReport([OUTCOME], MACHINE);

it('says where and when it was measured', () => {
  expect(page).toContain(
    'Measured on 2026-07-31 with Node.js v20.20.2 on 2 cores (a processor).',
  );
});

it('shows each target with what was measured, and marks those that are missed', () => {
  expect(page).toContain(
    [
      '| target | aim | measured |  |',
      '| --- | --: | --: | --: |',
      '| router / allow-all | ≥ 0.97 | 0.97 | met |',
      '| OPA / undici | ≥ 0.90 | 0.85 | **not met** |',
    ].join('\n'),
  );
});

it('shows each table with its words and its chart', () => {
  expect(page).toContain(
    [
      '### /authorize',
      '',
      'What the numbers are.',
      '',
      '![Chart: /authorize](performance-authorize-distinct.svg)',
      '',
      '|  |  | requests/s |',
      '| --- | --- | --: |',
      '| 1 item, c=1 | allow-all | 1,000 |',
      '|  | router | 970 |',
    ].join('\n'),
  );
});
