/** What the sections of the benchmark have in common. */

import type { Progress } from './progress';

/** What sections share in one run. */
export interface Run {
  readonly quick: boolean;
  readonly opa: RunningOpa;
  /** For files of the run; removed at its end. */
  readonly folder: string;
  /** Only these contestants, by id; all if undefined. */
  readonly contestants: readonly string[] | undefined;
  /** Another checkout whose router is measured beside this one. */
  readonly against: OtherCheckout | undefined;
  print(line: string): void;
  /** For progress, which is overwritten on a terminal. */
  readonly progress: (what: string, steps: number) => Pick<Progress, 'step'>;
}

export interface OtherCheckout {
  readonly path: string;
  /** The folder of its compiled router, with these benchmarks. */
  readonly compiled: string;
}

/** One OPA that has loaded the policy of the benchmark and listens twice. */
export interface RunningOpa {
  readonly binary: string;
  readonly url: string;
  /** `unix:/path/to/socket`. */
  readonly socket: string;
}

/** What a section has measured. */
export interface Outcome {
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** Answers that were wrong, in words; a measurement of wrong answers is worthless. */
  readonly wrong: readonly string[];
}

export interface Section {
  /** For `--only`. */
  readonly id: string;
  measure(run: Run): Promise<Outcome>;
}

/** One table of the page, with its chart. */
export interface Table {
  /** For the name of its chart's file. */
  readonly id: string;
  readonly title: string;
  /** What the numbers are. */
  readonly text: string;
  readonly head: readonly string[];
  /** How many columns, from the left, contain words. */
  readonly words: number;
  readonly rows: ReadonlyArray<readonly string[]>;
  /** As SVG. */
  readonly chart: string;
}

/** One target of the project, and what was measured. */
export interface Target {
  readonly what: string;
  /** `≥ 0.90`. */
  readonly aim: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** A target for the ratio of two throughputs. */
export const atLeast = (what: string, least: number, measured: number): Target => ({
  what,
  aim: `≥ ${least.toFixed(2)}`,
  measured: measured.toFixed(2),
  isMet: measured >= least,
});
