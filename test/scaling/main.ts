/**
 * `npm run scaling -- [--minutes 3] [--polling 2] [--seed 1]`, or
 * `npm run scaling -- --entities 1000000`, or `npm run scaling -- --users 100000` (on Linux):
 * see docs/scaling.md.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { obtainOpa } from '../support/opa-binary';
import { measureCatalog } from './catalog/measure';
import { report as reportCatalog } from './catalog/report';
import { measureUsers, type UsersCell } from './users';
import { runProof } from './proof';
import { summary } from './report';

const USAGE =
  'usage: npm run scaling -- [--minutes 3] [--polling 2] [--seed 1]\n' +
  '   or: npm run scaling -- --entities 1000000\n' +
  '   or: npm run scaling -- --users 100000';

/** What is measured; each size is ten times as large as the one before. */
const SMALLEST = { entities: 10_000, users: 1000 };

/** @throws Error with the usage if it is not a number of at least `smallest`. */
function sizesUpTo(text: string, smallest: number): number[] {
  const largest = Number(text);
  if (!(largest >= smallest) || !Number.isInteger(largest)) throw new Error(USAGE);
  const sizes = [largest];
  while (sizes[0]! / 10 >= smallest) sizes.unshift(Math.round(sizes[0]! / 10));
  return sizes;
}

/** @returns the exit code. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      entities: { type: 'string' },
      users: { type: 'string' },
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
    const sizes = sizesUpTo(values.entities, SMALLEST.entities);
    for (const line of reportCatalog(await measureCatalog(sizes, onProgress)))
      print(line);
    return 0;
  }
  const opa = await obtainOpa();
  if (opa.path === undefined) throw new Error(`no OPA: ${opa.reason}`);
  if (values.users !== undefined) {
    const sizes = sizesUpTo(values.users, SMALLEST.users);
    for (const line of reportUsers(await measureUsers(opa.path, sizes))) print(line);
    return 0;
  }
  const [minutes, polling, seed] = [values.minutes, values.polling, values.seed].map(
    Number,
  ) as [number, number, number];
  if (!(minutes > 0) || !(polling >= 1 && polling <= 30) || !Number.isInteger(seed)) {
    throw new Error(USAGE);
  }
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

const reportUsers = (cells: readonly UsersCell[]): string[] => [
  '| users | bundle | start | one question | memory | at most |',
  '| --: | --: | --: | --: | --: | --: |',
  ...cells.map(({ users, kilobytes, startSeconds, milliseconds, megabytes }) =>
    [
      `| ${users.toLocaleString('en-US')}`,
      `${kilobytes.toFixed(0)} kB`,
      `${startSeconds.toFixed(1)} s`,
      `${milliseconds.toFixed(2)} ms`,
      `${megabytes.now.toFixed(0)} MB`,
      `${megabytes.peak.toFixed(0)} MB |`,
    ].join(' | '),
  ),
];

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
