import type { PermissionCondition } from '@backstage/plugin-permission-common';
import { isJsonObject } from '../lib/json-object';
import type { Conditions, Criteria } from '../verdict';

/** The first node that is not a condition: where it is, and what is allowed there. */
export class BadCondition {
  constructor(
    readonly message: string,
    readonly path: ReadonlyArray<string | number> = [],
  ) {}

  below(...path: Array<string | number>): BadCondition {
    return new BadCondition(this.message, [...path, ...this.path]);
  }
}

/**
 * Reads the conditions that a source returned; they may be anything. The result is a frozen
 * copy, with `{}` for missing params, as when Backstage applies a rule. Params must be an object;
 * what is in it is neither checked nor copied.
 *
 * Not a zod schema: a recursive union in zod tries every branch at every node, which takes
 * several times as long as all the rest of reading an answer.
 *
 * @param value - bounded in depth (see `MAX_DECISION_DEPTH`): this function recurses.
 */
export function parseConditions(value: unknown): Conditions | BadCondition {
  return parse(value) as Conditions | BadCondition;
}

/**
 * Conditions that our own code has built with Backstage's functions, in the same form. Nothing is
 * checked; keys that a later Backstage may add to a rule are left out.
 */
export const builtConditions = (criteria: Criteria): Conditions =>
  copyOf(criteria) as Conditions;

function copyOf(criteria: Criteria): Criteria {
  if ('allOf' in criteria) return groupOf('allOf', criteria.allOf.map(copyOf));
  if ('anyOf' in criteria) return groupOf('anyOf', criteria.anyOf.map(copyOf));
  if ('not' in criteria) return Object.freeze({ not: copyOf(criteria.not) });
  return ruleOf(criteria);
}

function parse(value: unknown): Criteria | BadCondition {
  if (!isJsonObject(value)) return NOT_A_CONDITION;
  const keys = Object.keys(value);
  const [key] = keys;
  if (keys.length !== 1 || key === undefined) return parseRule(value, keys.length);
  const child = value[key];
  if (key === 'not') {
    const negated = parse(child);
    return negated instanceof BadCondition
      ? negated.below('not')
      : Object.freeze({ not: negated });
  }
  if ((key !== 'allOf' && key !== 'anyOf') || !Array.isArray(child)) {
    return NOT_A_CONDITION;
  }
  if (child.length === 0) return new BadCondition('must not be empty', [key]);
  const children: Criteria[] = [];
  for (const [index, each] of child.entries()) {
    const parsed = parse(each);
    if (parsed instanceof BadCondition) return parsed.below(key, index);
    children.push(parsed);
  }
  return groupOf(key, children);
}

function groupOf(connective: 'allOf' | 'anyOf', children: Criteria[]): Criteria {
  const frozen = Object.freeze(children);
  const group = connective === 'allOf' ? { allOf: frozen } : { anyOf: frozen };
  return Object.freeze(group) as unknown as Criteria;
}

const ruleOf = ({
  rule,
  resourceType,
  params = {},
}: PermissionCondition): PermissionCondition =>
  Object.freeze({ rule, resourceType, params });

const NOT_A_CONDITION = new BadCondition(
  'must be {resourceType, rule, params}, or a group: a non-empty allOf or anyOf, or a not',
);

function parseRule(
  { resourceType, rule, params }: Record<string, unknown>,
  keys: number,
): PermissionCondition | BadCondition {
  const expected = params === undefined ? 2 : 3;
  if (keys !== expected || !isName(resourceType) || !isName(rule)) {
    return NOT_A_CONDITION;
  }
  if (params === undefined) return ruleOf({ rule, resourceType });
  return isParams(params)
    ? ruleOf({ rule, resourceType, params })
    : new BadCondition('must be an object', ['params']);
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '';

/** Passed on as they are; a key that copying would lose is refused. */
const isParams = (
  value: unknown,
): value is NonNullable<PermissionCondition['params']> =>
  isJsonObject(value) && !Object.hasOwn(value, '__proto__');
