import {
  isResourcePermission,
  type Permission,
  type PermissionCondition,
} from '@backstage/plugin-permission-common';
import { quote } from '../lib/quote';
import type { Conditional, Criteria } from '../verdict';
import { childrenOf } from './tree';

/** It becomes part of a URL, the host's own request to the plugin included. */
export const PLUGIN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/**
 * Why Backstage would refuse this conditional verdict for this permission, with an HTTP 500 or
 * 404 for the whole batch; undefined if it would not. Checks what the permission alone can tell.
 */
export function misfit(
  { pluginId, resourceType, conditions }: Conditional,
  permission: Permission,
): string | undefined {
  if (!isResourcePermission(permission)) {
    return `a conditional verdict for ${quote(permission.name)}, which is not a resource permission`;
  }
  const expected = permission.resourceType;
  if (resourceType !== expected) {
    return `conditions for resource type ${quote(resourceType)}, not ${quote(expected)}`;
  }
  if (!PLUGIN_ID.test(pluginId)) {
    return `conditions of ${quote(pluginId)}, which is not a plugin id`;
  }
  const stray = strayRule(conditions, expected);
  return (
    stray &&
    `rule ${quote(stray.rule)} for resource type ${quote(stray.resourceType)}, not ${quote(expected)}`
  );
}

/** The first rule for another resource type. Walks without a list, as most trees have none. */
function strayRule(node: Criteria, expected: string): PermissionCondition | undefined {
  if ('rule' in node) return node.resourceType === expected ? undefined : node;
  for (const child of childrenOf(node)) {
    const stray = strayRule(child, expected);
    if (stray) return stray;
  }
  return undefined;
}
