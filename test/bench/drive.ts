/** A policy in this process that a closed loop of callers asks repeatedly. */
export interface Contestant {
  readonly id: string;
  readonly title: string;
  readonly isRouter: boolean;
  /** Whether its decisions never wait for I/O. */
  readonly inProcess: boolean;
  /** Asks this many questions at once; returns how many of the results were wrong. */
  ask(questions: number): Promise<number>;
}

/** A short measurement of one contestant. */
export interface Slice {
  /** Microseconds of wall time per decision: the reciprocal of the throughput. */
  readonly microseconds: number;
  /** Microseconds of this process's CPU time per decision, unaffected by other processes. */
  readonly cpuMicroseconds: number;
  /** Microseconds until the answer. */
  readonly p50: number;
  readonly p99: number;
  /** Decisions that were not what they must be. */
  readonly wrong: number;
}

/** How it is asked. */
export interface Load {
  /** Questions at once of one caller. */
  readonly items: number;
  /** Callers, each of which asks again as soon as it is answered. */
  readonly concurrency: number;
  readonly milliseconds: number;
}

/** After this many in-process decisions the event loop gets a turn, as it does between requests. */
const DECISIONS_PER_TURN = 64;

export async function drive(
  contestant: Contestant,
  { items, concurrency, milliseconds }: Load,
): Promise<Slice> {
  const latencies: number[] = [];
  let wrong = 0;
  let turn: Promise<void> | undefined;

  const cpu = process.cpuUsage();
  const begin = performance.now();
  const end = begin + milliseconds;

  const caller = async (): Promise<void> => {
    for (;;) {
      const asked = performance.now();
      if (asked >= end) return;
      wrong += await contestant.ask(items);
      latencies.push(performance.now() - asked);
      // Otherwise only promises would run, and deferred work (the logger's streams) would
      // pile up without being measured.
      if (
        contestant.inProcess &&
        (latencies.length * items) % DECISIONS_PER_TURN === 0
      ) {
        turn ??= new Promise(done => {
          setImmediate(() => {
            turn = undefined;
            done();
          });
        });
      }
      if (turn) await turn;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));

  const elapsed = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  const count = latencies.length * items;
  latencies.sort((a, b) => a - b);
  return {
    microseconds: (elapsed / count) * 1000,
    cpuMicroseconds: (user + system) / count,
    p50: percentile(latencies, 50) * 1000,
    p99: percentile(latencies, 99) * 1000,
    wrong,
  };
}

function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? NaN;
}
