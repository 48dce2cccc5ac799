/** What callers and the backend feel while OPA is unavailable for long. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { startField, type Runner } from '../authorize/field';
import { drive, type Slice } from '../authorize/load';
import { Answers, requestsOf } from '../authorize/questions';
import { sourcesOf } from '../authorize/sources';
import { comparisonTable, ratiosIn, type Group } from '../comparison';
import { numberText } from '../number-text';
import { atLeast, type Outcome, type Run, type Section, type Target } from '../section';
import { quantile } from '../statistics';
import { tableForTerminal } from '../text-table';
import { BASELINE, CLOSED, HOLE, outageContestants } from './contestants';
import { logBytes } from './log-bytes';

const CLIENTS = 64;

/** Milliseconds. In the warm-up the circuit breaker opens. */
const FULL = { warmUp: 10_000, slice: 2000, rounds: 10 };
const QUICK = { warmUp: 1500, slice: 200, rounds: 2 };

const MOST_MEGABYTES = 20;
const MOST_LOG_MEGABYTES = 1;

/** One backend during the outage. */
interface Observed {
  readonly runner: Runner;
  readonly slices: Slice[];
  /** Bytes. */
  memory: number;
  /** Bytes, without the lines that Backstage logs for each HTTP request. */
  log: number;
}

export const outage: Section = {
  id: 'outage',
  async measure(run): Promise<Outcome> {
    const hole = await startHole();
    const closed = await closedUrl();
    const field = await startField(
      run,
      outageContestants(closed, hole.url),
      await sourcesOf(run),
    );
    try {
      return reportOf(run, await observe(run, field.runners));
    } finally {
      await field.close();
      await hole.stop();
    }
  },
};

async function observe(
  run: Run,
  runners: readonly Runner[],
): Promise<readonly Observed[]> {
  const { warmUp, slice, rounds } = run.quick ? QUICK : FULL;
  const requests = requestsOf('distinct', 1);
  const observed = runners.map((runner): Observed & { answers: Answers } => ({
    runner,
    slices: [],
    memory: NaN,
    log: NaN,
    answers: new Answers('distinct', 1, runner.contestant.decides),
  }));
  const one = ({ runner, answers }: (typeof observed)[number], milliseconds: number) =>
    drive(runner, { requests, answers, concurrency: CLIENTS, milliseconds });
  const progress = run.progress('outage', observed.length * (rounds + 2));
  for (const each of observed) {
    await one(each, warmUp);
    progress.step('the breaker opens');
  }
  for (const each of observed) {
    each.memory = await each.runner.backend.memory();
    each.log = await logBytes(each.runner.backend.log);
  }
  for (let round = 0; round < rounds; round++) {
    for (const each of round % 2 === 0 ? observed : observed.toReversed()) {
      each.slices.push(await one(each, slice));
      progress.step(`round ${round + 1} of ${rounds}`);
    }
  }
  for (const each of observed) {
    each.memory = (await each.runner.backend.memory()) - each.memory;
    each.log = (await logBytes(each.runner.backend.log)) - each.log;
    progress.step('memory');
  }
  return observed;
}

function reportOf(run: Run, observed: readonly Observed[]): Outcome {
  const { slice, rounds } = run.quick ? QUICK : FULL;
  const group: Group = {
    title: `${CLIENTS} clients, ${numberText((slice * rounds) / 1000)} s`,
    entries: observed.map(({ runner, slices, memory, log }) => ({
      id: runner.id,
      title: runner.title,
      isRouter: runner.contestant.policy === 'router',
      values: slices.map(({ requestsPerSecond }) => requestsPerSecond),
      more: [
        medianOf(slices, 'p50').toFixed(1),
        medianOf(slices, 'p99').toFixed(1),
        (memory / 2 ** 20).toFixed(1),
        (log / 1000).toFixed(1),
      ],
    })),
  };
  const table = comparisonTable({
    id: 'outage',
    title: 'While OPA is unavailable',
    text: 'Every question is different and is denied, after the circuit breaker has opened. The log is counted without the line that Backstage writes for each HTTP request.',
    unit: 'requests/s',
    to: [{ id: BASELINE, name: 'of allow-all' }],
    more: ['p50 ms', 'p99 ms', 'memory +MB', 'log kB'],
    groups: [group],
    chart: { of: 'ratio', scale: 'linear' },
  });
  run.print(`\n${tableForTerminal(table)}`);
  const wrong = observed.flatMap(({ runner, slices }) => {
    const count = slices.reduce((sum, each) => sum + each.wrong, 0);
    return count === 0
      ? []
      : [
          `outage: ${count} wrong answers of ${runner.title}, such as ${slices.find(each => each.wrong > 0)?.wrongAnswer}`,
        ];
  });
  const targets = observed
    .filter(({ runner }) => [CLOSED, HOLE].some(id => runner.id === id))
    .flatMap(each => targetsOf(each, group));
  return { tables: [table], targets, wrong };
}

const medianOf = (slices: readonly Slice[], what: 'p50' | 'p99'): number =>
  quantile(
    slices.map(slice => slice[what]),
    0.5,
  );

function targetsOf({ runner, slices, memory, log }: Observed, group: Group): Target[] {
  const { id, title } = runner;
  const wrong = slices.reduce((sum, slice) => sum + slice.wrong, 0);
  const atMost = (what: string, most: number, bytes: number, unit: number): Target => ({
    what: `${title}, ${what}`,
    aim: `≤ ${most} MB`,
    measured: `${(bytes / unit).toFixed(2)} MB`,
    isMet: bytes / unit <= most,
  });
  return [
    {
      what: `${title}, answers that are not HTTP 200 with DENY`,
      aim: '0',
      measured: String(wrong),
      isMet: wrong === 0,
    },
    atLeast(
      `${title} / allow-all, ${CLIENTS} clients`,
      0.9,
      quantile(ratiosIn(group, id, BASELINE), 0.5),
    ),
    atMost('growth of memory', MOST_MEGABYTES, memory, 2 ** 20),
    atMost('log', MOST_LOG_MEGABYTES, log, 1e6),
  ];
}

/** A server that accepts connections and never answers. */
async function startHole(): Promise<{ url: string; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.resume();
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  const url = await listen(server);
  return {
    url,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise(done => server.close(done));
    },
  };
}

/** A URL at which nothing listens. */
async function closedUrl(): Promise<string> {
  const server = createServer();
  const url = await listen(server);
  await new Promise(done => server.close(done));
  return url;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
