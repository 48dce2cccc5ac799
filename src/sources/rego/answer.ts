import { z } from 'zod';
import { allow, conditional, deny, notApplicable, type Criteria } from '../../verdict';
import { failed, type Answer } from '../source';

/** Deeper decisions are refused: nobody writes them, and the host would recurse over them. */
export const MAX_DECISION_DEPTH = 32;

/** Passed on as they are; a key that copying would lose is refused. */
const isParams = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !Object.hasOwn(value, '__proto__');

const condition = z.strictObject({
  resourceType: z.string().min(1),
  rule: z.string().min(1),
  params: z
    .custom<Record<string, never>>(isParams, { error: 'must be an object' })
    .optional(),
});

const criteria: z.ZodType<Criteria> = z.lazy(() =>
  z.union(
    [
      z.strictObject({
        allOf: z.array(criteria).min(1, { error: 'must not be empty' }),
      }),
      z.strictObject({
        anyOf: z.array(criteria).min(1, { error: 'must not be empty' }),
      }),
      z.strictObject({ not: criteria }),
      condition,
    ],
    {
      error:
        'must be {resourceType, rule, params}, or one of allOf, anyOf (never empty) or not of such',
    },
  ),
) as z.ZodType<Criteria>;

const decision = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('ALLOW') }),
  z.strictObject({ result: z.literal('DENY') }),
  z.strictObject({ result: z.literal('NOT_APPLICABLE') }),
  z.strictObject({
    result: z.literal('CONDITIONAL'),
    pluginId: z.string().min(1),
    resourceType: z.string().min(1),
    conditions: criteria,
  }),
]);

/**
 * The verdict in a Rego decision document. Anything but exactly one of the four shapes is a
 * failure of class `invalid`; `undefined` is too, because before a bundle is active every
 * decision is undefined, and that must not read as "no opinion".
 */
export function parseRegoDecision(value: unknown): Answer {
  if (value === undefined) {
    return failed(
      'invalid',
      'UNDEFINED_DECISION',
      'the decision is undefined: is the entrypoint right, is the bundle active? ' +
        'A policy abstains with {"result": "NOT_APPLICABLE"}',
    );
  }
  if (depthExceeds(value, MAX_DECISION_DEPTH)) {
    return failed(
      'invalid',
      'TOO_DEEP',
      `the decision is nested deeper than ${MAX_DECISION_DEPTH} levels`,
    );
  }
  const parsed = decision.safeParse(value);
  if (!parsed.success) {
    return failed('invalid', 'BAD_DECISION', describe(parsed.error, value));
  }
  switch (parsed.data.result) {
    case 'ALLOW':
      return allow('the Rego policy says ALLOW');
    case 'DENY':
      return deny('the Rego policy says DENY');
    case 'NOT_APPLICABLE':
      return notApplicable('the Rego policy abstains');
    case 'CONDITIONAL':
      return conditional('the Rego policy says CONDITIONAL', parsed.data);
  }
}

/** Counts objects and arrays alike, and walks no deeper than the limit. */
function depthExceeds(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  return Object.values(value).some(child => depthExceeds(child, limit - 1));
}

/** Names the place and the rule, not the content: a policy's parameters may be private. */
function describe(error: z.ZodError, value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    const kind = value === null ? 'null' : typeof value;
    return `the decision must be an object such as {"result": "ALLOW"}, not ${kind}`;
  }
  const [issue] = error.issues;
  const path = issue?.path.length ? issue.path.map(String).join('.') : 'decision';
  if (path === 'result') {
    return 'result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE"';
  }
  return `${path}: ${issue?.message ?? 'not understood'}`;
}
