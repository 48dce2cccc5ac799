import type { Outcome } from './oracle';

/** So many wrong decisions are told in full. */
const TOLD = 20;

/** What has come of all decisions. */
export class Tally {
  decisions = 0;
  /** Of them, over HTTP. */
  overHttp = 0;
  /** Of them, with an answer of another caller's identical question. */
  shared = 0;
  /** Of them, made while there was but one right answer. */
  certain = 0;
  wrong = 0;
  /** `handle` rejected, or /authorize did not answer 200. */
  rejected = 0;
  /** Answered after the deadline, which no stall of this process explains. */
  late = 0;
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
    this.tell(
      `wrong: ${got}, but allowed were ${[...allowed].join(' | ')}: ${about()}`,
    );
  }

  fail(code: string): void {
    count(this.failures, code);
  }

  tell(violation: string): void {
    if (this.violations.length < TOLD) this.violations.push(violation);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
