/** A policy that a closed loop of callers asks repeatedly. */
export interface Contestant {
  readonly name: string;
  /** Whether its decisions never wait for I/O. */
  readonly inProcess: boolean;
  /** Makes one decision; returns its `result`. */
  ask(): Promise<string>;
  /** The result that `ask` must return; any other is counted as wrong. */
  readonly expected: string;
}

/** A short measurement of one contestant at one concurrency. */
export interface Slice {
  readonly decisionsPerSecond: number;
  /** Microseconds of wall time per decision: the reciprocal of the throughput. */
  readonly microseconds: number;
  /** Microseconds of this process's CPU time per decision, unaffected by other processes. */
  readonly cpuMicroseconds: number;
  /** Latencies, in microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Decisions that were not the expected one. */
  readonly wrong: number;
}

/** After this many in-process decisions the event loop gets a turn, as it does between requests. */
const DECISIONS_PER_TURN = 64;

/** Runs `concurrency` callers, each of which asks again as soon as it is answered. */
export async function drive(
  contestant: Contestant,
  concurrency: number,
  milliseconds: number,
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
      if ((await contestant.ask()) !== contestant.expected) wrong++;
      latencies.push(performance.now() - asked);
      // Otherwise only promises would run, and deferred work (the logger's streams) would
      // pile up without being measured.
      if (contestant.inProcess && latencies.length % DECISIONS_PER_TURN === 0) {
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
  const count = latencies.length;
  latencies.sort((a, b) => a - b);
  return {
    decisionsPerSecond: (count / elapsed) * 1000,
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
