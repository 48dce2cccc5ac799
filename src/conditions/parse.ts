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
 * copy, with `{}` for missing params, as when Backstage applies a rule. Params are neither
 * checked nor copied.
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
 * The same, for conditions that our own code has built with Backstage's functions: keys that a
 * later Backstage may add to a rule are left out.
 *
 * @throws Error if they are not conditions.
 */
export function builtConditions(criteria: Criteria): Conditions {
  const parsed = parseConditions(knownKeys(criteria));
  if (parsed instanceof BadCondition) throw new Error(`conditions ${parsed.message}`);
  return parsed;
}

function knownKeys(criteria: Criteria): unknown {
  if ('allOf' in criteria) return { allOf: criteria.allOf.map(knownKeys) };
  if ('anyOf' in criteria) return { anyOf: criteria.anyOf.map(knownKeys) };
  if ('not' in criteria) return { not: knownKeys(criteria.not) };
  const { resourceType, rule, params } = criteria;
  return { resourceType, rule, ...(params === undefined ? {} : { params }) };
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
  return Object.freeze({ [key]: Object.freeze(children) }) as unknown as Criteria;
}

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
  if (params === undefined) return Object.freeze({ rule, resourceType, params: {} });
  return isParams(params)
    ? Object.freeze({ rule, resourceType, params })
    : new BadCondition('must be an object', ['params']);
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '';

/** Passed on as they are; a key that copying would lose is refused. */
const isParams = (
  value: unknown,
): value is NonNullable<PermissionCondition['params']> =>
  isJsonObject(value) && !Object.hasOwn(value, '__proto__');
