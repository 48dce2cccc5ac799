import { z } from 'zod';
import { isJsonObject } from '../lib/json-object';
import { quote } from '../lib/quote';
import { allow, conditional, deny, notApplicable, type Criteria } from '../verdict';
import { failed, type Answer } from './source';

/** Deeper decisions are refused: nobody writes them, and the host would recurse over them. */
export const MAX_DECISION_DEPTH = 32;

/** Passed on as they are; a key that copying would lose is refused. */
const isParams = (value: unknown): boolean =>
  isJsonObject(value) && !Object.hasOwn(value, '__proto__');

/*
 * Walked by hand: a recursive union in zod tries every branch at every node and keeps track
 * of cycles, which takes several times as long as all the rest of reading an answer.
 */
const criteria = z.unknown().superRefine((value, context) => {
  const problem = criteriaProblem(value);
  if (problem) context.addIssue({ code: 'custom', ...problem });
}) as unknown as z.ZodType<Criteria>;

interface Problem {
  readonly path: Array<string | number>;
  readonly message: string;
}

/** What is wrong with the first wrong node; undefined if all are criteria. */
function criteriaProblem(value: unknown): Problem | undefined {
  if (!isJsonObject(value)) return NO_CRITERIA;
  const keys = Object.keys(value);
  const [key] = keys;
  if (keys.length !== 1 || key === undefined) {
    return conditionProblem(value, keys.length);
  }
  const child = value[key];
  if (key === 'not') return below([key], criteriaProblem(child));
  if (key !== 'allOf' && key !== 'anyOf') return NO_CRITERIA;
  if (!Array.isArray(child)) return NO_CRITERIA;
  if (child.length === 0) return { path: [key], message: 'must not be empty' };
  for (const [index, each] of child.entries()) {
    const problem = criteriaProblem(each);
    if (problem) return below([key, index], problem);
  }
  return undefined;
}

const NO_CRITERIA: Problem = {
  path: [],
  message:
    'must be {resourceType, rule, params}, or one of allOf, anyOf (never empty) or not of such',
};

function conditionProblem(
  { resourceType, rule, params }: Record<string, unknown>,
  keys: number,
): Problem | undefined {
  const expected = params === undefined ? 2 : 3;
  if (keys !== expected || !isName(resourceType) || !isName(rule)) return NO_CRITERIA;
  if (params === undefined || isParams(params)) return undefined;
  return { path: ['params'], message: 'must be an object' };
}

const below = (
  path: Array<string | number>,
  problem: Problem | undefined,
): Problem | undefined =>
  problem && { path: [...path, ...problem.path], message: problem.message };

const isName = (value: unknown): boolean => typeof value === 'string' && value !== '';

const name = z
  .string({ error: 'must be a text' })
  .min(1, { error: 'must not be empty' });

const decision = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('ALLOW') }),
  z.strictObject({ result: z.literal('DENY') }),
  z.strictObject({ result: z.literal('NOT_APPLICABLE') }),
  z.strictObject({
    result: z.literal('CONDITIONAL'),
    pluginId: name,
    resourceType: name,
    conditions: criteria,
  }),
]);

/**
 * The verdict in a decision. Anything but exactly one of the four shapes is a failure of class
 * `invalid`.
 *
 * @param who - for the reasons, such as 'the Rego policy'.
 * @param mayAbstain - whether a failure names NOT_APPLICABLE among what is allowed.
 */
export function parseDecision(value: unknown, who: string, mayAbstain = true): Answer {
  if (depthExceeds(value, MAX_DECISION_DEPTH)) {
    return failed(
      'invalid',
      'TOO_DEEP',
      `the decision is nested deeper than ${MAX_DECISION_DEPTH} levels`,
    );
  }
  const parsed = decision.safeParse(value);
  if (!parsed.success) {
    return failed('invalid', 'BAD_DECISION', describe(parsed.error, value, mayAbstain));
  }
  switch (parsed.data.result) {
    case 'ALLOW':
      return allow(`${who} says ALLOW`);
    case 'DENY':
      return deny(`${who} says DENY`);
    case 'NOT_APPLICABLE':
      return notApplicable(`${who} abstains`);
    case 'CONDITIONAL':
      return conditional(`${who} says CONDITIONAL`, parsed.data);
  }
}

/** Counts objects and arrays alike, and walks no deeper than the limit. */
function depthExceeds(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  return Object.values(value).some(child => depthExceeds(child, limit - 1));
}

/** Names the place and the rule, not the content: a policy's parameters may be private. */
function describe(error: z.ZodError, value: unknown, mayAbstain: boolean): string {
  if (!isJsonObject(value)) {
    const kind = Array.isArray(value)
      ? 'a list'
      : value === null
        ? 'null'
        : typeof value;
    return `the decision must be an object such as {"result": "ALLOW"}, not ${kind}`;
  }
  const [issue] = error.issues;
  const path = issue?.path.length ? issue.path.map(String).join('.') : 'decision';
  if (path === 'result') {
    return mayAbstain
      ? 'result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE"'
      : 'result must be "ALLOW", "DENY" or "CONDITIONAL"';
  }
  if (issue?.code === 'unrecognized_keys') {
    return `${path}: unknown key ${quote(issue.keys[0])}`;
  }
  return `${path}: ${issue?.message ?? 'not understood'}`;
}
