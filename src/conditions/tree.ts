import type { PermissionCondition } from '@backstage/plugin-permission-common';
import type { Criteria } from '../verdict';

/** The children of a group or a negation; none of a rule. */
export function childrenOf(node: Criteria): readonly Criteria[] {
  if ('allOf' in node) return node.allOf;
  if ('anyOf' in node) return node.anyOf;
  return 'not' in node ? [node.not] : [];
}

/** The rules of a tree, in the order in which they are written. */
export function leavesOf(node: Criteria): PermissionCondition[] {
  const children = childrenOf(node);
  return children.length > 0
    ? children.flatMap(leavesOf)
    : [node as PermissionCondition];
}

/** Groups, negations and rules together. */
export const nodesIn = (node: Criteria): number =>
  childrenOf(node).reduce((sum, child) => sum + nodesIn(child), 1);
