/** Of memory, after so many decisions. */
export interface Point {
  readonly decisions: number;
  readonly bytes: number;
}

/** Bytes by which a straight line through the points (least squares) rises from first to last. */
export function growthOf(samples: readonly Point[]): number {
  const mean = (values: number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map(({ decisions }) => decisions));
  const y = mean(samples.map(({ bytes }) => bytes));
  let rise = 0;
  let run = 0;
  for (const { decisions, bytes } of samples) {
    rise += (decisions - x) * (bytes - y);
    run += (decisions - x) ** 2;
  }
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return run === 0 ? 0 : (rise / run) * (last.decisions - first.decisions);
}
