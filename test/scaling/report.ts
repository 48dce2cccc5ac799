/** How long a change took at each replica, in seconds. */
export interface Measured {
  readonly what: 'bundle' | 'routing file';
  readonly replica: string;
  readonly seconds: number;
}

export interface ProofReport {
  readonly rounds: number;
  readonly decisions: number;
  /** Those with only one right answer. */
  readonly certain: number;
  readonly lists: number;
  readonly wrong: number;
  readonly rejected: number;
  /** Requests that were lost with a killed replica. */
  readonly lost: number;
  readonly violations: readonly string[];
  readonly measured: readonly Measured[];
}

/** In lines. */
export function summary(report: ProofReport): string[] {
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
