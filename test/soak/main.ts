/** `npm run soak -- [--minutes 10] [--seed 1]`; ends with an error if anything was wrong. */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { obtainOpa } from '../support/opa-binary';
import { runSoak, violationsOf, type SoakReport } from './soak';

/** @returns the exit code. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    throw new Error('usage: npm run soak -- [--minutes 10] [--seed 1]');
  }
  const opa = await obtainOpa();
  if (opa.path === undefined) throw new Error(`no OPA to soak with: ${opa.reason}`);
  print(
    `Node ${process.version}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`,
  );
  print(`${minutes} minutes, seed ${seed}`);
  const report = await runSoak({
    binary: opa.path,
    seconds: minutes * 60,
    seed,
    calm: { low: 1500, high: 6000 },
    onProgress: tally =>
      print(`${tally.decisions} decisions, ${tally.wrong} wrong, ${tally.late} late`),
  });
  for (const line of summary(report)) print(line);
  const violations = violationsOf(report);
  for (const violation of violations) print(`VIOLATION ${violation}`);
  print(violations.length === 0 ? 'Good.' : `Bad. Again with: --seed ${seed}`);
  return violations.length === 0 ? 0 : 1;
}

function summary({ tally, incidents, before, after, ...rest }: SoakReport): string[] {
  const counts = (map: ReadonlyMap<string, number>): string =>
    [...map]
      .sort(([, a], [, b]) => b - a)
      .map(([key, count]) => `${key} ${count}`)
      .join(', ');
  const { decisions, certain, overHttp, shared, gaveUp } = tally;
  const grown = (kind: keyof typeof before): string =>
    `${before[kind].toFixed(0)} -> ${after[kind].toFixed(0)}`;
  return [
    '',
    `decisions         ${decisions}, of them ${overHttp} through /authorize`,
    `wrong             ${tally.wrong}`,
    `rejected          ${tally.rejected}`,
    `past the deadline ${tally.late}, and ${tally.lateButTold} that say why; slowest ${tally.slowest.toFixed(0)} ms`,
    `one right answer  ${certain} (the others fell into an outage or a change)`,
    `shared            ${shared}`,
    `outcomes          ${counts(tally.outcomes)}`,
    `failures          ${counts(tally.failures)}`,
    `clients gave up   ${gaveUp}`,
    `big batches       ${tally.bigBatches}`,
    `incidents         ${counts(new Map(Object.entries(incidents)))}`,
    `reloads           ${rest.reloads}`,
    `log               ${rest.warnings} warnings, ${rest.errors} errors, ${rest.logBytes} bytes`,
    `heap at rest      ${grown('heapMegabytes')} MB`,
    `sockets at rest   ${grown('sockets')}`,
    `timers at rest    ${grown('timers')}`,
    `longest stall     ${rest.longestStall.toFixed(0)} ms; of our own making ${rest.longestStallOfOurs.toFixed(0)} ms`,
    '',
  ];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  // Backstage's database manager leaves timers behind that would keep the process alive.
  code => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
