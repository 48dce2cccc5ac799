import { childrenOf } from './tree';
import type { Criteria } from '../verdict';

/** Of a condition in a group in a `not` the depth is 3. */
export const MAX_CONDITION_DEPTH = 16;
/** Groups, negations and conditions of one criteria. */
export const MAX_CONDITION_NODES = 500;

/**
 * Which limit the tree passes, if one. Looks at no more of it than the limits allow, so
 * criteria of any shape and size may be given.
 */
export function treeProblem(criteria: Criteria): string | undefined {
  let level: unknown[] = [criteria];
  let nodes = 1;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_CONDITION_DEPTH) {
      return `conditions nested deeper than ${MAX_CONDITION_DEPTH} levels`;
    }
    const next: unknown[] = [];
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

/** Of criteria that were measured; a lone verdict is, once by its guard, once as the result. */
const measured = new WeakMap<Criteria, number>();

/** Bytes of the criteria as JSON, which is how Backstage passes them on. */
export function bytesOf(criteria: Criteria): number {
  const known = measured.get(criteria);
  if (known !== undefined) return known;
  const bytes = Buffer.byteLength(JSON.stringify(criteria));
  measured.set(criteria, bytes);
  return bytes;
}

export const bytesProblem = (bytes: number, maxBytes: number): string | undefined =>
  bytes > maxBytes
    ? `conditions of ${bytes} bytes, more than maxConditionBytes (${maxBytes})`
    : undefined;
