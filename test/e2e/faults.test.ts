/**
 * The fault matrix: everything that can go wrong between a real Backstage backend and OPA, for
 * sources that fail closed and that fail open, alone and in a batch with healthy questions.
 * Only an outage may fail open, and a fault affects no other question of the batch.
 *
 * The results are compared with docs/fault-table.md. To rewrite that file:
 *
 *   UPDATE_DOCS=1 npx jest test/e2e/faults.test.ts
 */
import { expected, tally } from '../faults/expectation';
import { CHAPTERS } from '../faults/matrix';
import { MatrixRun, ROW_LIMIT, SCENES } from '../faults/matrix-run';
import { madePart, render, writeMadePart } from '../faults/page';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';
import { describeWithOpa } from '../support/with-opa';

let run: MatrixRun;

// The scenes that hang run while this process is busy with the other rows.
beforeAll(takeLoopForIdle);
afterAll(measureLoop);

beforeAll(async () => (run = await MatrixRun.start()));
afterAll(() => run?.stop());

describe.each(CHAPTERS)('an OPA that $title', ({ scenes: ofChapter }) => {
  for (const scene of ofChapter) {
    for (const row of scene.rows) {
      (SCENES.includes(scene) ? it : it.skip)(
        `${row.name}`,
        async () => {
          const seen = await run.see(scene, row);
          expect(seen).toEqual(seen.map(each => expected(row, each)));
        },
        ROW_LIMIT,
      );
    }
  }
});

describeWithOpa('docs/fault-table.md', () => {
  const seenChapters = CHAPTERS.map(({ title, scenes: ofChapter }) => ({
    title,
    rows: ofChapter.flatMap(scene => scene.rows),
  }));

  it('shows what was seen', () => {
    const chapters = seenChapters.map(({ title, rows }) => ({
      title,
      rows: rows.map(row => ({ row, seen: run.seenOf(row) })),
    }));
    const counts = tally(chapters.flatMap(({ rows }) => rows));
    expect(counts).toMatchObject({
      wronglyAllowed: 0,
      brokenBatches: 0,
      pastDeadline: 0,
    });
    const table = render(chapters, counts);
    if (process.env.UPDATE_DOCS) writeMadePart(table);
    expect(madePart()).toBe(table);
  });
});
