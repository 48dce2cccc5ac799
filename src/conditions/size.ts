import type { Conditions, Criteria } from '../verdict';
import { childrenOf } from './tree';

/** A condition inside a group inside a `not` has depth 3. */
export const MAX_CONDITION_DEPTH = 16;
/** Of one verdict: groups, negations and rules together. */
export const MAX_CONDITION_NODES = 500;

/** Which limit the tree exceeds, if any. Stops at the first limit that is exceeded. */
export function treeProblem(conditions: Conditions): string | undefined {
  let level: Criteria[] = [conditions];
  let nodes = 1;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_CONDITION_DEPTH) {
      return `conditions nested deeper than ${MAX_CONDITION_DEPTH} levels`;
    }
    const next: Criteria[] = [];
    for (const node of level) {
      const children = childrenOf(node);
      nodes += children.length;
      if (nodes > MAX_CONDITION_NODES) {
        return `conditions of more than ${MAX_CONDITION_NODES} nodes`;
      }
      next.push(...children);
    }
    level = next;
  }
  return undefined;
}

/** A verdict is measured by its guard, and again as the result if it is the only one. */
const measured = new WeakMap<Conditions, number>();

/** Bytes of the conditions as JSON, which is how Backstage passes them on. */
export function bytesOf(conditions: Conditions): number {
  const known = measured.get(conditions);
  if (known !== undefined) return known;
  const bytes = Buffer.byteLength(JSON.stringify(conditions));
  measured.set(conditions, bytes);
  return bytes;
}

export const bytesProblem = (bytes: number, maxBytes: number): string | undefined =>
  bytes > maxBytes
    ? `conditions of ${bytes} bytes, more than maxConditionBytes (${maxBytes})`
    : undefined;

/** Which limit conditions exceed, of tree or of bytes; undefined if they are within both. */
export const excessOf =
  (maxBytes: number) =>
  (conditions: Conditions): string | undefined =>
    treeProblem(conditions) ?? bytesProblem(bytesOf(conditions), maxBytes);
