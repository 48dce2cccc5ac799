/** `handle()` in this process, without HTTP. */
import { sourcesOf } from '../authorize/sources';
import { comparisonTable } from '../comparison';
import { IN_PROCESS, measure } from '../in-process';
import type { Outcome, Section, Table } from '../section';
import { tableForTerminal } from '../text-table';
import { startInProcess } from './contestants';
import { contestantOf } from './questions';

const SHAPES = [
  { items: 1, concurrency: 1 },
  { items: 1, concurrency: 16 },
  { items: 1, concurrency: 64 },
  { items: 10, concurrency: 16 },
];

const KINDS = {
  distinct: 'every question different',
  equal: 'all callers ask the same',
} as const;

export const handle: Section = {
  id: 'handle',
  async measure(run): Promise<Outcome> {
    const { contestants, close } = await startInProcess(
      await sourcesOf(run),
      run.contestants,
    );
    const tables: Table[] = [];
    const wrong: string[] = [];
    try {
      for (const kind of ['distinct', 'equal'] as const) {
        const title = `handle(), ${KINDS[kind]}`;
        const measured = await measure(
          run,
          contestants.map(each => contestantOf(each, kind)),
          { what: title, shapes: SHAPES, rounds: 7 },
        );
        wrong.push(...measured.wrong);
        const table = comparisonTable({
          ...IN_PROCESS,
          id: `handle-${kind}`,
          title,
          text: 'The time of one decision, without HTTP and without the rest of Backstage. Less is better.',
          to: [
            { id: 'owner', name: 'of hand-written' },
            { id: 'undici', name: 'of bare undici' },
          ],
          groups: measured.groups,
          chart: { of: 'value', scale: 'logarithmic' },
        });
        tables.push(table);
        run.print(`\n${tableForTerminal(table)}`);
      }
    } finally {
      await close();
    }
    return { tables, targets: [], wrong };
  },
};
