/**
 * Measures the router against what a team would use without it, in a single run, and prints
 * ratios. Do not compare figures of two runs or two machines. Fails if an answer was wrong, not if
 * a target is missed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTESTANTS } from './authorize/contestants';
import { authorize } from './authorize/section';
import { POLICY } from './authorize/sources';
import { compileOther } from './compiled';
import { handle } from './handle/section';
import { thisMachine } from './machine';
import { memory } from './memory/section';
import { startBenchOpa } from './opa';
import { readOptions, USAGE } from './options';
import { outage } from './outage/section';
import { Progress } from './progress';
import { TARGET_HEAD, targetRows, writeReport } from './report-page';
import type { Outcome, Section } from './section';
import { shadow } from './shadow';
import { textTable } from './text-table';
import { visibility } from './visibility';

const SECTIONS: readonly Section[] = [
  authorize,
  handle,
  outage,
  memory,
  visibility,
  shadow,
];

async function main(): Promise<void> {
  const { quick, write, only, contestants, against } = readOptions(
    process.argv.slice(2),
    SECTIONS.map(({ id }) => id),
    [...CONTESTANTS.map(({ id }) => id), 'hosted'],
  );
  const machine = thisMachine();
  print(
    `Node ${machine.node}, ${machine.cores} cores: ${machine.processor}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  if (quick)
    print('Quick: shows that the benchmark works; the figures are not reliable');

  const folder = await mkdtemp(join(tmpdir(), 'policy-router-bench-'));
  const opa = await startBenchOpa(folder, [POLICY]);
  const outcomes: Outcome[] = [];
  try {
    const run = {
      ...{ quick, opa, folder, contestants, print, progress },
      against:
        against === undefined
          ? undefined
          : { path: against, compiled: await compileOther(against) },
    };
    for (const section of SECTIONS) {
      if (only && !only.includes(section.id)) continue;
      outcomes.push(await section.measure(run));
    }
  } finally {
    await opa.stop();
    await rm(folder, { recursive: true, force: true });
  }

  const targets = outcomes.flatMap(each => each.targets);
  if (targets.length > 0) print(`\n${textTable(TARGET_HEAD, targetRows(targets))}`);
  const wrong = outcomes.flatMap(each => each.wrong);
  if (wrong.length > 0) throw new Error(`wrong answers:\n${wrong.join('\n')}`);
  if (write) writeReport(outcomes, machine);
}

const progress = (what: string, steps: number): Progress => new Progress(what, steps);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Otherwise backends and OPA would be left behind: they end at the event 'exit'.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(1));
}

main().catch((error: unknown) => {
  const { message, stack } = error as Error;
  const isExpected = message.startsWith(USAGE) || message.startsWith('wrong answers');
  process.stderr.write(`${isExpected ? message : stack}\n`);
  process.exitCode = 1;
});
