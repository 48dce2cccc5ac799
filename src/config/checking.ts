import type { Slices } from '../lib/slices';
import type { Finding, Findings } from './findings';

/** Where a check puts what it finds, and how it lets others run. */
export interface Checking<F extends Finding = Finding> {
  readonly findings: Findings<F>;
  readonly slices: Slices;
}
