/**
 * Measures each stage of the router by itself while what it works on grows, and prints by how
 * much the time grows with it. Asserts nothing. `--write` updates docs/performance.md.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { thisMachine } from '../machine';
import { measure } from './measure';
import { writePage } from './page';
import { growthText, rowOf, stageTable, type Row } from './report';
import { STAGES } from './stages';

/** `whole` is for all stages together, in milliseconds. */
const FULL = { whole: 240_000, stage: 7000, rounds: 15 };
const QUICK = { whole: 20_000, stage: 600, rounds: 2 };

const USAGE = 'usage: npm run bench:growth -- [--quick] [--only <stage>] [--write]';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      write: { type: 'boolean', default: false },
    },
  });
  const { quick, only, write } = values;
  const unknown = only?.filter(id => !STAGES.some(stage => stage.id === id)) ?? [];
  if (unknown.length > 0 || (write && (quick || only))) {
    const ids = STAGES.map(({ id }) => id).join(', ');
    throw new Error(`${USAGE}\nstages: ${ids}\n--write needs a whole run`);
  }
  const stages = only ? STAGES.filter(({ id }) => only.includes(id)) : STAGES;
  const machine = thisMachine();
  print(
    `Node ${machine.node}, ${machine.cores} cores: ${machine.processor}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  if (quick)
    print('Quick: shows that the benchmark works; the figures are not reliable');

  const rows: Row[] = [];
  const limits = quick ? QUICK : FULL;
  const end = performance.now() + limits.whole;
  for (const [index, stage] of stages.entries()) {
    const begin = performance.now();
    // On a busy machine some stages take longer; the others then get less.
    const left = (end - begin) / (stages.length - index);
    const budget = { ...limits, stage: Math.min(limits.stage, left) };
    const row = rowOf(await measure(stage, budget));
    rows.push(row);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    print(`\n[${index + 1}/${stages.length}, ${seconds} s] ${stageTable(row)}`);
  }

  const worse = rows.filter(({ growth }) => growth.isWorse);
  print(`\n${worse.length} of ${rows.length} stages grow worse than n log n`);
  for (const row of worse) print(`  ${row.growing.stage.id}: ${growthText(row)}`);
  if (write) writePage(rows, machine);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
