/** The benchmark by itself, with few contestants and for a moment. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { folderWith, removeFolders } from '../support/folder';
import { describeWithOpa } from '../support/with-opa';
import { drive } from './authorize/load';
import { Answers, requestsOf } from './authorize/questions';
import { authorize } from './authorize/section';
import { POLICY } from './authorize/sources';
import { startBenchOpa } from './opa';
import { withPart } from './page';
import { renderReport } from './report-page';
import type { Outcome, RunningOpa } from './section';

afterAll(removeFolders);

describeWithOpa('/authorize of real backends', () => {
  let opa: RunningOpa & { stop(): Promise<void> };
  let outcome: Outcome;

  beforeAll(async () => {
    const folder = folderWith();
    opa = await startBenchOpa(folder, [POLICY]);
    outcome = await authorize.measure({
      quick: true,
      opa,
      folder,
      contestants: ['allow-all', 'undici', 'opa-batch'],
      against: undefined,
      print: () => {},
      progress: () => ({ step: () => {} }),
    });
  });
  afterAll(() => opa?.stop());

  it('measures every contestant with every kind of question', () => {
    const titles = outcome.tables.map(({ id, rows }) => [
      id,
      ...new Set(rows.map(row => row[1])),
    ]);
    const contestants = ['bare undici policy', 'router: OPA with batch', 'allow-all'];
    expect(titles).toEqual([
      ['authorize-distinct', ...contestants],
      ['authorize-equal', ...contestants],
      ['authorize-conditional', ...contestants],
    ]);
    for (const { rows } of outcome.tables) {
      for (const row of rows) expect(row.join('|')).not.toContain('NaN');
    }
  });

  it('finds no wrong answer', () => {
    expect(outcome.wrong).toEqual([]);
  });

  it('judges the targets of those who were measured', () => {
    expect(outcome.targets.map(({ what, aim }) => [what, aim])).toEqual([
      ['router: OPA with batch / allow-all, 10 items, c=16', '≥ 0.65'],
      ['router: OPA with batch / allow-all, 100 items, c=4', '≥ 0.35'],
    ]);
  });

  it('has a place on the page', async () => {
    const machine = { node: 'v20', cores: 2, processor: 'x', date: '2026-07-31' };
    const page = await readFile('docs/performance.md', 'utf8');
    const report = renderReport([outcome], machine);
    expect(withPart(page, 'bench', report)).toContain('### The targets');
  });
});

it('counts answers that are wrong', async () => {
  const server = createServer((request, response) => {
    request.resume();
    response.end('{"items":[{"id":"0","result":"ALLOW"}]}');
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const slice = await drive(
    { pool, token: '', cpu: async () => 0 },
    {
      requests: () => ({ ...requestsOf('equal', 1)(), denied: 0 }),
      answers: new Answers('distinct', 1, 'by name'),
      concurrency: 2,
      milliseconds: 20,
    },
  );
  await pool.destroy();
  server.close();
  expect(slice.wrong).toBeGreaterThan(0);
  expect(slice.wrongAnswer).toBe('HTTP 200 {"items":[{"id":"0","result":"ALLOW"}]}');
});
