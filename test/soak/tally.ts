import type { Outcome } from './oracle';

/** How many wrong decisions are reported in full. */
const MAX_REPORTED = 20;
/** Of each report, in characters: the record of a user with thousands of groups is long. */
const MAX_LENGTH = 2000;

/** Counts the outcomes of all decisions. */
export class Tally {
  decisions = 0;
  /** How many of them were made over HTTP. */
  overHttp = 0;
  /** How many of them shared the answer to another caller's identical question. */
  shared = 0;
  /** How many of them had only one right answer. */
  certain = 0;
  wrong = 0;
  /** How often `handle` rejected or /authorize did not answer 200. */
  rejected = 0;
  /** Decisions after the deadline, though nobody else kept this process from making them. */
  late = 0;
  /** Those of them whose record says that this process was too busy. */
  lateButTold = 0;
  /** Batches with very many items. */
  bigBatches = 0;
  slowest = 0;
  /** Clients that gave up before the answer. */
  gaveUp = 0;
  readonly violations: string[] = [];
  readonly outcomes = new Map<string, number>();
  readonly failures = new Map<string, number>();

  judge(got: Outcome, allowed: ReadonlySet<Outcome>, about: () => string): void {
    this.decisions++;
    if (allowed.size === 1) this.certain++;
    count(this.outcomes, got.split(' ')[0]!);
    if (allowed.has(got)) return;
    this.wrong++;
    this.report(
      `wrong: ${got}, but allowed were ${[...allowed].join(' | ')}: ${about()}`,
    );
  }

  fail(code: string): void {
    count(this.failures, code);
  }

  report(violation: string): void {
    if (this.violations.length < MAX_REPORTED)
      this.violations.push(violation.slice(0, MAX_LENGTH));
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
