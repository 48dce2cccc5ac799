/** `npm run scaling -- [--minutes 3] [--polling 20] [--seed 1]`, see docs/scaling.md. */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { obtainOpa } from '../support/opa-binary';
import { runProof, type Measured, type ProofReport } from './proof';

const USAGE = 'usage: npm run scaling -- [--minutes 3] [--polling 20] [--seed 1]';

/** @returns the exit code. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '3' },
      polling: { type: 'string', default: '2' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const [minutes, polling, seed] = [values.minutes, values.polling, values.seed].map(
    Number,
  ) as [number, number, number];
  if (!(minutes > 0) || !(polling >= 1 && polling <= 30) || !Number.isInteger(seed)) {
    throw new Error(USAGE);
  }
  const opa = await obtainOpa();
  if (opa.path === undefined) throw new Error(`no OPA: ${opa.reason}`);
  print(
    `Node ${process.version}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`,
  );
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const report = await runProof({
    binary: opa.path,
    seed,
    polling,
    answers: 200,
    isAgain: () => seconds() < minutes * 60,
    onProgress: line => print(`${seconds().toFixed(1).padStart(7)} s  ${line}`),
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
