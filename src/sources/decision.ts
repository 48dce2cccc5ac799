import { z } from 'zod';
import { failed, type Answer } from '../answer';
import { BadCondition, parseConditions } from '../conditions/parse';
import { isJsonObject } from '../lib/json-object';
import { quote } from '../lib/quote';
import { allow, conditional, deny, notApplicable } from '../verdict';

/**
 * Deeper decisions are refused, because reading conditions recurses. Each group is an object and
 * a list, so the deepest conditions (`MAX_CONDITION_DEPTH`) have 100 levels left for params.
 */
export const MAX_DECISION_DEPTH = 500;

const conditions = z.unknown().transform((value, context) => {
  const parsed = parseConditions(value);
  if (!(parsed instanceof BadCondition)) return parsed;
  const { message, path } = parsed;
  context.addIssue({ code: 'custom', message, path: [...path] });
  return z.NEVER;
});

const name = z
  .string({ error: 'must be a string' })
  .min(1, { error: 'must not be empty' });

/** What the `result` of a decision may be. */
export const RESULTS = ['ALLOW', 'DENY', 'CONDITIONAL', 'NOT_APPLICABLE'] as const;

const decisionWith = <const More extends z.core.$ZodLooseShape>(more: More) =>
  z.discriminatedUnion('result', [
    z.strictObject({ result: z.literal('ALLOW'), ...more }),
    z.strictObject({ result: z.literal('DENY'), ...more }),
    z.strictObject({ result: z.literal('NOT_APPLICABLE'), ...more }),
    z.strictObject({
      result: z.literal('CONDITIONAL'),
      pluginId: name,
      resourceType: name,
      conditions,
      ...more,
    }),
  ]);

const decision = decisionWith({});

const explainedDecision = decisionWith({
  reason: z.string({ error: 'must be a string' }).optional(),
});

/** Whose decision it is. */
export interface DecisionOrigin {
  /** For the reasons, such as 'the Rego policy'. */
  readonly who: string;
  /** Whether a failure names NOT_APPLICABLE among the allowed results. */
  readonly mayAbstain: boolean;
  /** Set if a decision may have a `reason`, which is added to ours; makes it fit for a record. */
  readonly plainReason?: (reason: string) => string;
}

/**
 * The verdict in a decision document. Anything but exactly one of the four shapes is a failure
 * of class `invalid`.
 */
export function readDecision(value: unknown, origin: DecisionOrigin): Answer {
  if (depthExceeds(value, MAX_DECISION_DEPTH)) {
    return failed(
      'invalid',
      'TOO_DEEP',
      `the decision is nested deeper than ${MAX_DECISION_DEPTH} levels`,
    );
  }
  const schema = origin.plainReason ? explainedDecision : decision;
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    return failed(
      'invalid',
      'BAD_DECISION',
      decisionProblem(parsed.error, value, origin),
    );
  }
  const { data } = parsed;
  const said = (what: string): string => {
    const { reason } = data as { readonly reason?: string };
    const why = reason === undefined ? '' : origin.plainReason?.(reason);
    return why ? `${origin.who} ${what}: ${why}` : `${origin.who} ${what}`;
  };
  switch (data.result) {
    case 'ALLOW':
      return allow(said('says ALLOW'));
    case 'DENY':
      return deny(said('says DENY'));
    case 'NOT_APPLICABLE':
      return notApplicable(said('abstains'));
    case 'CONDITIONAL':
      return conditional(said('says CONDITIONAL'), data);
  }
}

/** Counts objects and arrays alike, and walks no deeper than the limit. */
export function depthExceeds(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  return Object.values(value).some(child => depthExceeds(child, limit - 1));
}

/** Names the place and the rule, not the content: a policy's parameters may be private. */
function decisionProblem(
  error: z.ZodError,
  value: unknown,
  { mayAbstain }: DecisionOrigin,
): string {
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
