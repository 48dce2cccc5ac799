import type { Conditions, Criteria } from '../verdict';
import { childrenOf } from './tree';

/**
 * A condition inside a group inside a `not` has depth 3. Backstage, and all that is done with
 * conditions here, recurses. The catalog applies conditions of 400 levels, on PostgreSQL in some
 * seconds; at 800 its stack overflows.
 */
export const MAX_CONDITION_DEPTH = 200;

/** No group, negation or rule adds less to the JSON: `{"not":}`. */
const LEAST_NODE_BYTES = 8;

/**
 * Which limit the tree exceeds, if any. Stops at the first one, so that huge trees are neither
 * walked nor written as JSON; `bytesProblem` measures those that pass.
 */
export function treeProblem(
  conditions: Conditions,
  maxBytes: number,
): string | undefined {
  const maxNodes = maxBytes / LEAST_NODE_BYTES;
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
      if (nodes > maxNodes) {
        return `conditions of more bytes than maxConditionBytes (${maxBytes})`;
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
    treeProblem(conditions, maxBytes) ?? bytesProblem(bytesOf(conditions), maxBytes);
