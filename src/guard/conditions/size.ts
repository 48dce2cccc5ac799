import type { Criteria } from '../../verdict';

/** Of a condition in a group in a `not` the depth is 3. */
export const MAX_CONDITION_DEPTH = 16;
/** Groups, negations and conditions of one criteria. */
export const MAX_CONDITION_NODES = 500;

/**
 * Which limit the criteria pass, if one. Looks at no more than the limits allow, so criteria
 * of any shape and size may be given.
 *
 * @param maxBytes - of the criteria as JSON.
 */
export function sizeProblem(criteria: Criteria, maxBytes: number): string | undefined {
  let level: unknown[] = [criteria];
  let nodes = 0;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_CONDITION_DEPTH) {
      return `conditions nested deeper than ${MAX_CONDITION_DEPTH} levels`;
    }
    nodes += level.length;
    if (nodes > MAX_CONDITION_NODES) {
      return `conditions of more than ${MAX_CONDITION_NODES} nodes`;
    }
    level = level.flatMap(childrenOf);
  }
  const bytes = bytesOf(criteria);
  return bytes > maxBytes
    ? `conditions of ${bytes} bytes, more than maxConditionBytes (${maxBytes})`
    : undefined;
}

/** Bytes of the criteria as JSON, which is how Backstage passes them on. */
export const bytesOf = (criteria: Criteria): number =>
  Buffer.byteLength(JSON.stringify(criteria) ?? '');

function childrenOf(node: unknown): readonly unknown[] {
  if (typeof node !== 'object' || node === null) return [];
  const { allOf, anyOf, not } = node as Record<string, unknown>;
  if (Array.isArray(allOf)) return allOf;
  if (Array.isArray(anyOf)) return anyOf;
  return not === undefined ? [] : [not];
}
