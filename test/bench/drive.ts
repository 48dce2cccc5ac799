/** One contestant: asked over and over by a closed loop of callers. */
export interface Contestant {
  readonly name: string;
  /** Its decisions never wait for I/O. */
  readonly inProcess: boolean;
  /** One decision: its `result`. */
  ask(): Promise<string>;
  /** What `ask` must say; anything else is counted as wrong. */
  readonly expected: string;
}

/** One contestant at one concurrency, for a moment. */
export interface Slice {
  readonly decisionsPerSecond: number;
  /** Microseconds of wall time per decision: the reciprocal of the throughput. */
  readonly microseconds: number;
  /** Microseconds of this process's CPU time per decision, whatever else the machine does. */
  readonly cpuMicroseconds: number;
  /** Latencies, in microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Decisions that were not the expected one. */
  readonly wrong: number;
}

/** Decisions after which those made in process let the event loop turn, as requests do. */
const DECISIONS_PER_TURN = 64;

/** Has `concurrency` callers ask, each again as soon as it is answered. */
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
      // Else promises would follow promises, and what is put off (the logger's streams)
      // would pile up and never be paid for.
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
