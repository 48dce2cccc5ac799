/**
 * Measures the router against what a team would use without it, in a single run, and prints
 * ratios. Do not compare figures of two runs or two machines. Asserts nothing.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { obtainOpa } from '../support/opa-binary';
import { startOpa, type OpaServer } from '../support/opa-server';
import { createContestants, type Contestants } from './contestants';
import { drive, type Contestant, type Slice } from './drive';
import { comparisonTable, resultTable, type Results } from './report';
import { latenciesOf, shadowContestants } from './shadow';
import { visibilityContestants } from './visibility';

const CONCURRENCIES = [1, 16, 64];

const QUICK = process.argv.includes('--quick');
const ROUNDS = QUICK ? 3 : 16;

/** OPA's decisions take so long that V8 needs seconds to see enough of them to optimize. */
const MILLISECONDS = QUICK
  ? { inProcess: { warmUp: 100, slice: 40 }, remote: { warmUp: 300, slice: 60 } }
  : { inProcess: { warmUp: 1000, slice: 80 }, remote: { warmUp: 3000, slice: 350 } };

async function main(): Promise<void> {
  printMachine();
  if (process.argv.includes('--visibility')) await measureVisibility();
  else if (process.argv.includes('--shadow')) await measureShadow();
  else await measureRouter();
}

function printMachine(): void {
  print(`Node ${process.version}, ${process.platform} ${process.arch}`);
  print(`${availableParallelism()} cores: ${cpus()[0]?.model ?? 'unknown'}`);
  print(`Load average before: ${loadavg()[0]!.toFixed(1)}`);
  if (QUICK)
    print('Quick: shows that the benchmark works; the figures are not reliable');
}

/** Decisions that are kept and audited, in relation to those that are not. */
async function measureVisibility(): Promise<void> {
  const measured = await visibilityContestants();
  try {
    await measureGroups(measured.groups);
  } finally {
    measured.close();
  }
}

/** Decisions that are compared, in relation to those that are not. */
async function measureShadow(): Promise<void> {
  const opa = await startOpaIfAvailable();
  const measured = await shadowContestants(opa?.url);
  try {
    await measureGroups(measured.groups);
    const contestants = measured.groups.flat();
    const latencies = await latenciesOf(contestants, QUICK ? 50 : 1000);
    print('');
    print('One decision after the other, with pauses; p50, p90 and p99 in µs:');
    for (const [name, sorted] of latencies) {
      const at = [0.5, 0.9, 0.99].map(share =>
        sorted[Math.floor(share * sorted.length)]!.toFixed(0),
      );
      print(`  ${name}: ${at.join(', ')}`);
    }
  } finally {
    measured.close();
    await opa?.stop();
  }
}

/** Each contestant in relation to the first of its group. */
async function measureGroups(
  groups: ReadonlyArray<readonly [Contestant, ...Contestant[]]>,
): Promise<void> {
  const contestants = groups.flat();
  const results = await measure(contestants);
  const compared = groups.flatMap(([plain, ...others]) =>
    others.map(each => ({
      ...{ name: `${each.name} / off`, aim: '', digits: 2 },
      ...{ of: results(each.name), to: results(plain.name) },
      value: (of: Slice, to: Slice) => of.microseconds / to.microseconds,
    })),
  );
  print('');
  print(resultTable(contestants.map(({ name }) => ({ name, results: results(name) }))));
  print('');
  print('Time per decision:');
  print(comparisonTable(compared, CONCURRENCIES));
  printWrong(contestants, results);
}

async function measureRouter(): Promise<void> {
  const opa = await startOpaIfAvailable();
  print(
    `${ROUNDS} rounds after a warm-up, in each ${MILLISECONDS.inProcess.slice} ms per row ` +
      `(${MILLISECONDS.remote.slice} ms with OPA); medians of the rounds (and quartiles)`,
  );
  print('c: callers at once, each asking again as soon as it is answered');

  let contestants: Contestants | undefined;
  try {
    contestants = await createContestants(opa?.url);
    // Contestants that are compared with each other run one after the other.
    const measured = [
      contestants.opa,
      contestants.rawOpa,
      contestants.wasm,
      contestants.native,
      contestants.handWritten,
      contestants.hosted,
      contestants.allow,
      contestants.allowAll,
    ].filter(contestant => contestant !== undefined);
    const results = await measure(measured);
    print('');
    print(resultTable(measured.map(({ name }) => ({ name, results: results(name) }))));
    print('');
    print(comparisonTable(comparisons(contestants, results), CONCURRENCIES));
    printWrong(measured, results);
  } finally {
    await contestants?.close();
    await opa?.stop();
  }
}

async function startOpaIfAvailable(): Promise<OpaServer | undefined> {
  try {
    const opa = await obtainOpa();
    if (opa.path === undefined) throw new Error(opa.reason);
    const server = await startOpa({
      binary: opa.path,
      policies: [resolve('config/policies/backstage.rego')],
      // At level info OPA writes two lines per decision, which this process would have to read.
      args: ['--log-level', 'error'],
    });
    print(
      `OPA from ${opa.from}; it shares the cores with this process, so its own work is included in ` +
        'every figure with OPA',
    );
    return server;
  } catch (error) {
    print(`No rows with OPA: ${(error as Error).message}`);
    return undefined;
  }
}

/**
 * Measures in rounds, each contestant once at each concurrency and every second round in reverse
 * order, so that other work on the machine affects all alike.
 */
async function measure(
  contestants: readonly Contestant[],
): Promise<(name: string) => Results> {
  const results = new Map<string, Map<number, Slice[]>>();
  for (const contestant of contestants) {
    await drive(contestant, 16, millisecondsOf(contestant).warmUp);
    results.set(contestant.name, new Map(CONCURRENCIES.map(c => [c, []])));
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const concurrency of CONCURRENCIES) {
      for (const contestant of round % 2 === 0
        ? contestants
        : contestants.toReversed()) {
        const { slice } = millisecondsOf(contestant);
        results
          .get(contestant.name)!
          .get(concurrency)!
          .push(await drive(contestant, concurrency, slice));
      }
    }
  }
  return name => results.get(name)!;
}

const millisecondsOf = ({ inProcess }: Contestant) =>
  inProcess ? MILLISECONDS.inProcess : MILLISECONDS.remote;

function comparisons(
  { native, handWritten, hosted, allow, allowAll, opa, rawOpa }: Contestants,
  results: (name: string) => Results,
) {
  const throughput = (of: Slice, to: Slice): number =>
    of.decisionsPerSecond / to.decisionsPerSecond;
  const overhead = (of: Slice, to: Slice): number => of.microseconds - to.microseconds;
  const cpuOverhead = (of: Slice, to: Slice): number =>
    of.cpuMicroseconds - to.cpuMicroseconds;
  const compare = (of: Contestant, to: Contestant) => ({
    of: results(of.name),
    to: results(to.name),
  });
  return [
    ...(opa && rawOpa
      ? [
          {
            name: 'route to OPA / raw undici, decisions/s',
            ...compare(opa, rawOpa),
            ...{ value: throughput, digits: 2, aim: '>= 0.85' },
          },
          {
            name: 'route to OPA - raw undici, CPU µs per decision',
            ...compare(opa, rawOpa),
            ...{ value: cpuOverhead, digits: 1, aim: '' },
          },
        ]
      : []),
    {
      name: 'native route / hand-written policy, decisions/s',
      ...compare(native, handWritten),
      ...{ value: throughput, digits: 2, aim: '' },
    },
    {
      name: 'native route - hand-written policy, µs per decision',
      ...compare(native, handWritten),
      ...{ value: overhead, digits: 1, aim: 'a few' },
    },
    {
      name: 'the same policy hosted - alone, µs per decision',
      ...compare(hosted, handWritten),
      ...{ value: overhead, digits: 1, aim: '' },
    },
    {
      name: 'route to allow - allow-all policy, µs per decision',
      ...compare(allow, allowAll),
      ...{ value: overhead, digits: 1, aim: 'a few' },
    },
  ];
}

/** Wrong answers make a measurement worthless, so they are printed. */
function printWrong(
  contestants: readonly Contestant[],
  results: (name: string) => Results,
): void {
  for (const { name, expected } of contestants) {
    const wrong = [...results(name).values()]
      .flat()
      .reduce((sum, slice) => sum + slice.wrong, 0);
    if (wrong > 0) print(`\n${name}: ${wrong} decisions were not ${expected}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
