/**
 * `npm run scaling -- [--minutes 3] [--polling 2] [--seed 1]`, or
 * `npm run scaling -- --entities 1000000`: see docs/scaling.md.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { obtainOpa } from '../support/opa-binary';
import { measureCatalog } from './catalog/measure';
import { report as reportCatalog } from './catalog/report';
import { runProof, type Measured, type ProofReport } from './proof';

const USAGE =
  'usage: npm run scaling -- [--minutes 3] [--polling 2] [--seed 1]\n' +
  '   or: npm run scaling -- --entities 1000000';

/** Of the catalogs that are measured; each is ten times as large as the one before. */
const SMALLEST = 10_000;

/** @returns the exit code. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      entities: { type: 'string' },
      minutes: { type: 'string', default: '3' },
      polling: { type: 'string', default: '2' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const onProgress = (line: string): void =>
    print(`${seconds().toFixed(1).padStart(7)} s  ${line}`);
  print(
    `Node ${process.version}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`,
  );
  if (values.entities !== undefined) {
    const entities = Number(values.entities);
    if (!(entities >= SMALLEST) || !Number.isInteger(entities)) throw new Error(USAGE);
    const sizes = [entities];
    while (sizes[0]! / 10 >= SMALLEST) sizes.unshift(Math.round(sizes[0]! / 10));
    for (const line of reportCatalog(await measureCatalog(sizes, onProgress)))
      print(line);
    return 0;
  }
  const [minutes, polling, seed] = [values.minutes, values.polling, values.seed].map(
    Number,
  ) as [number, number, number];
  if (!(minutes > 0) || !(polling >= 1 && polling <= 30) || !Number.isInteger(seed)) {
    throw new Error(USAGE);
  }
  const opa = await obtainOpa();
  if (opa.path === undefined) throw new Error(`no OPA: ${opa.reason}`);
  const report = await runProof({
    binary: opa.path,
    seed,
    polling,
    answers: 200,
    isAgain: () => seconds() < minutes * 60,
    onProgress,
  });
  for (const line of summary(report)) print(line);
  const isGood = report.violations.length === 0;
  for (const violation of report.violations) print(`VIOLATION ${violation}`);
  print(isGood ? 'Good.' : `Bad. Again with: --seed ${seed}`);
  return isGood ? 0 : 1;
}

function summary(report: ProofReport): string[] {
  const times = (what: Measured['what']): string => {
    const all = report.measured
      .filter(each => each.what === what)
      .map(({ seconds }) => seconds)
      .sort((one, other) => one - other);
    const at = (share: number): string =>
      all[Math.min(all.length - 1, Math.floor(share * all.length))]!.toFixed(1);
    return `${at(0)} to ${at(1)} s, median ${at(0.5)} s, of ${all.length}`;
  };
  return [
    '',
    `rounds            ${report.rounds}`,
    `decisions         ${report.decisions}, of them ${report.lists} lists`,
    `wrong             ${report.wrong}`,
    `rejected          ${report.rejected}`,
    `lost              ${report.lost} requests, with a killed replica`,
    `one right answer  ${report.certain} (the others fell into a change)`,
    `new bundle        decides after ${times('bundle')}`,
    `new routing file  decides after ${times('routing file')}`,
    '',
  ];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
