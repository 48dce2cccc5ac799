/** Which routes were reached by a case: what no case reaches is not tested. */
import { FALLBACK } from './judge';

/** The label of a route without constraints for every name: nothing is left to the fallback. */
const EVERYTHING = "'*'";

export interface Reach {
  readonly reached: number;
  /** All routes, and the fallback unless a route matches everything. */
  readonly of: number;
  /** The labels of the others. */
  readonly missed: readonly string[];
}

/**
 * @param labels - of the routes, in their order.
 * @param reached - the places of routes, from 0, and `fallback`.
 */
export function reachOf(
  labels: readonly string[],
  reached: ReadonlySet<string | number>,
): Reach {
  const hasFallback = !labels.includes(EVERYTHING);
  const missed = [
    ...labels.filter((_label, index) => !reached.has(index)),
    ...(hasFallback && !reached.has(FALLBACK) ? [FALLBACK] : []),
  ];
  const of = labels.length + (hasFallback ? 1 : 0);
  return { reached: of - missed.length, of, missed };
}

/** Not rounded up: 100 only if all were reached. */
export const percentOf = ({ reached, of }: Reach): number => (100 * reached) / of;
