/** The children of a group or a negation, of whatever shape; none of anything else. */
export function childrenOf(node: unknown): readonly unknown[] {
  if (typeof node !== 'object' || node === null) return [];
  const { allOf, anyOf, not } = node as Record<string, unknown>;
  if (Array.isArray(allOf)) return allOf;
  if (Array.isArray(anyOf)) return anyOf;
  return not === undefined ? [] : [not];
}
