/**
 * Conditions as the config has them: a rule need not name its resource type, and the value of a
 * parameter may be a placeholder that stands for the user who asks.
 */
import type { PermissionCondition } from '@backstage/plugin-permission-common';
import { BadCondition, builtConditions, parseConditions } from '../../conditions/parse';
import { childrenOf, leavesOf } from '../../conditions/tree';
import { cut } from '../../lib/bounded';
import { isJsonObject } from '../../lib/json-object';
import type { Conditions, Criteria } from '../../verdict';
import { depthExceeds, MAX_DECISION_DEPTH } from '../decision';

/** What placeholders stand for. */
export interface PlaceholderValues {
  /** The ref of the user; undefined without a user. */
  readonly user: string | undefined;
  readonly ownershipRefs: readonly string[];
}

/** Not filled in: its rules have a stand-in for the resource type, its parameters placeholders. */
export type Template = Conditions;

const PLACEHOLDERS = ['$user', '$ownershipRefs'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

const placeholderIn = (value: unknown): Placeholder | undefined =>
  PLACEHOLDERS.find(each => each === value);

/** In place of the permission's resource type, which is known only when a question is asked. */
const OF_THE_PERMISSION = '(of the permission)';

/** Reads conditions of the config. They are checked as those of any source are. */
export function parseTemplate(value: unknown): Template | BadCondition {
  if (depthExceeds(value, MAX_DECISION_DEPTH)) {
    return new BadCondition(`is nested deeper than ${MAX_DECISION_DEPTH} levels`);
  }
  const template = parseConditions(withResourceTypes(value));
  return template instanceof BadCondition
    ? template
    : (badPlaceholder(template, false) ?? template);
}

function withResourceTypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withResourceTypes);
  if (!isJsonObject(value)) return value;
  if (Object.hasOwn(value, 'rule')) {
    return { resourceType: OF_THE_PERMISSION, ...value };
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, withResourceTypes(child)]),
  );
}

/** The first resource type that a rule names and that is not the only one of `resourceTypes`. */
export function strayResourceType(
  template: Template,
  resourceTypes: readonly string[] = [],
): string | undefined {
  const only = resourceTypes.length === 1 ? resourceTypes[0] : undefined;
  return leavesOf(template)
    .map(({ resourceType }) => resourceType)
    .find(named => named !== OF_THE_PERMISSION && named !== only);
}

function badPlaceholder(node: Criteria, negated: boolean): BadCondition | undefined {
  if ('rule' in node) return badParams(node.params, negated)?.below('params');
  if ('not' in node) return badPlaceholder(node.not, true)?.below('not');
  const connective = 'allOf' in node ? 'allOf' : 'anyOf';
  for (const [index, child] of childrenOf(node).entries()) {
    const bad = badPlaceholder(child, negated)?.below(connective, index);
    if (bad) return bad;
  }
  return undefined;
}

function badParams(
  params: PermissionCondition['params'],
  negated: boolean,
): BadCondition | undefined {
  for (const [name, value] of Object.entries(params ?? {})) {
    const placeholder = placeholderIn(value);
    if (placeholder === undefined) {
      const bad = badText(value);
      if (bad) return bad.below(name);
    } else if (negated) {
      const message = `${placeholder} is not allowed under a not: it would open what it should close`;
      return new BadCondition(message, [name]);
    }
  }
  return undefined;
}

/** The first text in a value that begins with `$` and may not. */
function badText(value: unknown): BadCondition | undefined {
  if (typeof value === 'string') {
    if (!value.startsWith('$') || value.startsWith('$$')) return undefined;
    const placeholder = placeholderIn(value);
    return placeholder === undefined
      ? new BadCondition(
          `unknown placeholder '${cut(value)}'; allowed: ${PLACEHOLDERS.join(', ')}. ` +
            `For the text itself, write '$${cut(value)}'`,
        )
      : new BadCondition(
          `${placeholder} replaces the whole value of a parameter, not a part of it`,
        );
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const bad = badText(child)?.below(Array.isArray(value) ? Number(key) : key);
    if (bad) return bad;
  }
  return undefined;
}

/** Whether it is the same for every user. */
export const isConstant = (template: Template): boolean =>
  !leavesOf(template).some(({ params }) =>
    Object.values(params ?? {}).some(value => placeholderIn(value) !== undefined),
  );

/** What a placeholder of the template stands for and the user does not have, if anything. */
export function missingValue(
  template: Template,
  { user, ownershipRefs }: PlaceholderValues,
): string | undefined {
  for (const { params } of leavesOf(template)) {
    for (const value of Object.values(params ?? {})) {
      const placeholder = placeholderIn(value);
      if (placeholder === '$user' && user === undefined) return 'there is no user';
      if (placeholder === '$ownershipRefs' && ownershipRefs.length === 0) {
        return 'the user has no ownership refs';
      }
    }
  }
  return undefined;
}

/**
 * The conditions for this resource type and this user.
 *
 * @throws Error if a value is missing; see `missingValue`.
 */
export function fillIn(
  template: Template,
  resourceType: string,
  values: PlaceholderValues,
): Conditions {
  const missing = missingValue(template, values);
  if (missing !== undefined) throw new Error(missing);
  const fillRule = ({
    rule,
    params = {},
  }: PermissionCondition): PermissionCondition => ({
    resourceType,
    rule,
    params: Object.fromEntries(
      Object.entries(params).map(([name, value]) => [name, filled(value, values)]),
    ) as NonNullable<PermissionCondition['params']>,
  });
  return builtConditions(mapRules(template, fillRule));
}

function filled(value: unknown, { user, ownershipRefs }: PlaceholderValues): unknown {
  switch (placeholderIn(value)) {
    case '$user':
      return user;
    case '$ownershipRefs':
      return ownershipRefs;
    case undefined:
      return literal(value);
  }
}

/** `$$` at the beginning of a text stands for `$`. */
function literal(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith('$$') ? value.slice(1) : value;
  if (Array.isArray(value)) return value.map(literal);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, literal(child)]),
  );
}

function mapRules(
  node: Criteria,
  map: (rule: PermissionCondition) => PermissionCondition,
): Criteria {
  if ('rule' in node) return map(node);
  if ('not' in node) return { not: mapRules(node.not, map) };
  const children = childrenOf(node).map(child => mapRules(child, map));
  const group = 'allOf' in node ? { allOf: children } : { anyOf: children };
  return group as unknown as Criteria;
}
