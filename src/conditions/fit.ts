import {
  isResourcePermission,
  type Permission,
  type PermissionCondition,
} from '@backstage/plugin-permission-common';
import { isJsonObject } from '../lib/json-object';
import { quote } from '../lib/quote';
import type { Conditional, Criteria } from '../verdict';

/** It becomes part of a URL, the host's own request to the plugin included. */
export const PLUGIN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/**
 * Why Backstage would refuse this conditional verdict, with an HTTP 500 or 400 for the whole
 * batch; undefined if it would not. Checks what the permission alone can tell.
 */
export function shapeProblem(
  verdict: Conditional,
  permission: Permission,
): string | undefined {
  if (!isResourcePermission(permission)) {
    return `a conditional verdict for ${quote(permission.name)}, which is no resource permission`;
  }
  const expected = permission.resourceType;
  if (verdict.resourceType !== expected) {
    return `conditions for resource type ${quote(verdict.resourceType)}, not ${quote(expected)}`;
  }
  if (typeof verdict.pluginId !== 'string' || verdict.pluginId === '') {
    return 'conditions without a pluginId';
  }
  if (!PLUGIN_ID.test(verdict.pluginId)) {
    return `conditions of ${quote(verdict.pluginId)}, which is no plugin id`;
  }
  return criteriaProblem(verdict.conditions, expected);
}

function criteriaProblem(criteria: Criteria, resourceType: string): string | undefined {
  if (typeof criteria !== 'object' || criteria === null)
    return 'a condition that is no object';
  const kinds = ['allOf', 'anyOf', 'not', 'rule'].filter(key => key in criteria);
  // On a single check Backstage reads such a node otherwise than in a list.
  if (kinds.length > 1) return `a condition that has ${kinds.join(' and ')}`;
  for (const connective of ['allOf', 'anyOf'] as const) {
    if (!(connective in criteria)) continue;
    const children = (criteria as Record<string, unknown>)[connective];
    if (!Array.isArray(children) || children.length === 0)
      return `an empty ${connective}`;
    return firstProblem(children as Criteria[], resourceType);
  }
  if ('not' in criteria) return criteriaProblem(criteria.not, resourceType);
  return leafProblem(criteria as PermissionCondition, resourceType);
}

function firstProblem(children: Criteria[], resourceType: string): string | undefined {
  for (const child of children) {
    const problem = criteriaProblem(child, resourceType);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function leafProblem(
  leaf: PermissionCondition,
  resourceType: string,
): string | undefined {
  if (typeof leaf.rule !== 'string' || leaf.rule === '')
    return 'a condition without a rule';
  if (leaf.resourceType !== resourceType) {
    return `rule ${quote(leaf.rule)} for resource type ${quote(leaf.resourceType)}, not ${quote(resourceType)}`;
  }
  const params: unknown = leaf.params;
  if (params !== undefined && !isJsonObject(params)) {
    return `rule ${quote(leaf.rule)} with params that are no object`;
  }
  return undefined;
}

/**
 * A copy of what has the shape, and nothing besides; `{}` for missing params, as Backstage has
 * it when it applies a rule.
 */
export function withParams(criteria: Criteria): Criteria {
  if ('allOf' in criteria) return { allOf: mapNonEmpty(criteria.allOf) };
  if ('anyOf' in criteria) return { anyOf: mapNonEmpty(criteria.anyOf) };
  if ('not' in criteria) return { not: withParams(criteria.not) };
  const { rule, resourceType, params = {} } = criteria;
  return { rule, resourceType, params };
}

const mapNonEmpty = ([first, ...others]: [Criteria, ...Criteria[]]): [
  Criteria,
  ...Criteria[],
] => [withParams(first), ...others.map(withParams)];
