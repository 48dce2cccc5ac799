/** How the time of a stage grows with its size. */

export interface Point {
  readonly size: number;
  /** Microseconds of CPU time per call. */
  readonly time: number;
}

export interface Growth {
  /** Time grows as size to this power; undefined if the times are too short to tell. */
  readonly exponent: number | undefined;
  /** Whether it grows worse than n log n. */
  readonly isWorse: boolean;
}

/** Below this, in microseconds, a time is mostly noise and harms nobody. */
export const NOISE = 50;

/** What remains of n log n after dividing by log n is 1; the rest is what measuring may be wrong by. */
export const MAX_EXPONENT = 1.15;

/** Of the larger half of the sizes, where constant costs matter least. */
export function growthOf(points: readonly Point[]): Growth {
  const upper = points
    .slice(Math.min(Math.floor(points.length / 2), Math.max(0, points.length - 2)))
    .filter(({ time }) => time >= NOISE);
  if (upper.length < 2) return { exponent: undefined, isWorse: false };
  const perLog = upper.map(({ size, time }) => ({
    size,
    time: time / Math.log2(size),
  }));
  // In between there may be a step: what no longer fits into the caches of the processor.
  const isWorse = [perLog, perLog.slice(-2)].every(part => slope(part) > MAX_EXPONENT);
  return { exponent: slope(upper), isWorse };
}

/** The time at each size divided by the time at the size before; undefined for the first. */
export const ratiosOf = (points: readonly Point[]): Array<number | undefined> =>
  points.map(({ time }, index) => {
    const before = points[index - 1];
    return before && time / before.time;
  });

/** Of log time over log size, by least squares. */
export function slope(points: readonly Point[]): number {
  const logs = points.map(
    ({ size, time }) => [Math.log(size), Math.log(time)] as const,
  );
  const mean = (values: number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))] as const;
  let both = 0;
  let square = 0;
  for (const [x, y] of logs) {
    both += (x - middle[0]) * (y - middle[1]);
    square += (x - middle[0]) ** 2;
  }
  return both / square;
}
