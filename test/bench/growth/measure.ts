import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Point } from './fit';
import type { Prepared, Stage } from './stage';

/** A stage at one size. */
export interface Measured extends Point {
  /** The longest time between two turns of the event loop, in milliseconds, in the median call. */
  readonly hold: number | undefined;
}

export interface Growing {
  readonly stage: Stage;
  readonly points: readonly Measured[];
  /** The first size that was left out because a call would take too long. */
  readonly stoppedAt: number | undefined;
}

export interface Budget {
  /** Milliseconds for a stage. A size of which one call would take half of it is left out. */
  readonly stage: number;
  readonly rounds: number;
}

/** One measurement of one size. */
interface Sample {
  /** Microseconds of CPU time per call. */
  readonly time: number;
  readonly hold: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A sample makes so many calls that it takes about this long, in microseconds. */
const SAMPLE = 2000;
const MAX_CALLS = 1000;
/** How long a size is called before it is measured, in microseconds. */
const WARM_UP = 20_000;
const LONG_WARM_UP = 200_000;
/** What a call counts as at least, in microseconds, so that warming up ends. */
const MIN_COST = 1;

interface Running {
  readonly size: number;
  readonly prepared: Prepared;
  readonly samples: Sample[];
  calls: number;
}

/**
 * Measures the sizes of a stage in rounds, every second one in reverse order, so that other work
 * on the machine affects all alike.
 */
export async function measure(stage: Stage, budget: Budget): Promise<Growing> {
  collectGarbage();
  const begin = performance.now();
  const { running, stoppedAt } = await warmUp(stage, budget.stage / 2);
  try {
    for (let round = 0; round < budget.rounds; round++) {
      const perRound = running.reduce(
        (sum, { calls, samples }) => sum + (calls * samples.at(-1)!.time) / 1000,
        0,
      );
      const isEnough = performance.now() - begin + perRound > budget.stage;
      if (isEnough && (round > 0 || perRound > budget.stage / 2)) break;
      // What was measured while warming up counts only if there is nothing else.
      if (round === 0) for (const each of running) each.samples.length = 0;
      for (const each of round % 2 === 0 ? running.toReversed() : running) {
        each.samples.push(await sample(stage, each.prepared, each.calls));
      }
    }
  } finally {
    for (const { prepared } of running) prepared.close?.();
  }
  return {
    stage,
    points: running.map(({ size, samples }) => ({
      size,
      time: median(samples.map(({ time }) => time)),
      hold: stage.holds ? median(samples.map(({ hold }) => hold)) : undefined,
    })),
    stoppedAt,
  };
}

/** Calls each size until it is warm, smallest first; finds out how long it takes. */
async function warmUp(
  stage: Stage,
  limit: number,
): Promise<{ running: Running[]; stoppedAt: number | undefined }> {
  const most = stage.holds ? 1 : MAX_CALLS;
  const running: Running[] = [];
  for (const size of stage.sizes) {
    if (expected(running, size) > limit) return { running, stoppedAt: size };
    const prepared = await stage.prepare(size);
    const each: Running = { size, prepared, samples: [], calls: 1 };
    running.push(each);
    for (let spent = 0, tries = 0; isCold(spent, tries); tries++) {
      const next = await sample(stage, prepared, each.calls);
      spent += Math.max(next.time, MIN_COST) * each.calls;
      // The fastest, as the first ones are of code that is not optimized yet.
      const [fastest = next] = each.samples;
      each.samples[0] = next.time < fastest.time ? next : fastest;
      each.calls = clamp(Math.round(SAMPLE / next.time), 1, most);
    }
  }
  return { running, stoppedAt: undefined };
}

/** A few calls at least, unless they take long. */
const isCold = (spent: number, tries: number): boolean =>
  spent < (tries < 4 ? LONG_WARM_UP : WARM_UP);

const clamp = (value: number, low: number, high: number): number =>
  Math.max(low, Math.min(high, value));

/** Short times are too inexact to conclude more from them. */
const MAX_POWER = 3;

/** Milliseconds that a call will take at this size, if it goes on growing as it did last. */
function expected(running: readonly Running[], size: number): number {
  const [before, last] = running.slice(-2);
  if (!before || !last) return 0;
  const timeOf = ({ samples }: Running): number => samples.at(-1)!.time;
  const exponent =
    Math.log(timeOf(last) / timeOf(before)) / Math.log(last.size / before.size);
  return (timeOf(last) / 1000) * (size / last.size) ** clamp(exponent, 1, MAX_POWER);
}

/**
 * In CPU time: other processes on the machine would make the long calls longer, but not the
 * short ones, which the scheduler does not interrupt.
 */
async function sample(
  { id, holds }: Stage,
  prepared: Prepared,
  count: number,
): Promise<Sample> {
  const calls = Array.from({ length: count }, () => prepared.next());
  const delays = holds ? await watchEventLoop() : undefined;
  let result: unknown;
  const before = process.cpuUsage();
  for (const call of calls) {
    result = call();
    if (result instanceof Promise) result = await result;
  }
  const { user, system } = process.cpuUsage(before);
  const hold = (await delays?.()) ?? 0;
  if (!prepared.isRight(result)) {
    throw new Error(`${id} did not do what it is measured for`);
  }
  return { time: Math.max(user + system, 1) / count, hold };
}

/** In milliseconds. */
const RESOLUTION = 1;

/** @returns a function that resolves to the longest hold of the event loop since now, in milliseconds. */
async function watchEventLoop(): Promise<() => Promise<number>> {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
  delays.enable();
  // It begins to measure at its first tick.
  await delay(2 * RESOLUTION);
  return async () => {
    await delay(2 * RESOLUTION);
    delays.disable();
    return Math.max(0, delays.max / 1e6 - RESOLUTION);
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}
