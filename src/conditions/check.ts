/**
 * Whether Backstage can apply the conditions of a source. What it cannot apply makes it fail
 * the whole batch with HTTP 500, 400 or 404, and lists empty; so it is found out before:
 *
 *   tree → shape → size → the owning plugin's published rules
 */
import type {
  Permission,
  PermissionCondition,
} from '@backstage/plugin-permission-common';
import { childrenOf } from './tree';
import { quote } from '../lib/quote';
import { failed, type Failed } from '../sources/source';
import type { Conditional, Criteria } from '../verdict';
import { settleWithin, type Deadline } from '../lib/deadline';
import type { RuleDirectory } from './rule-directory';
import type { RuleMetadata } from './rule-metadata';
import { shapeProblem, withParams } from './fit';
import { bytesOf, bytesProblem, treeProblem } from './size';

/**
 * Whether conditions are checked against the rules that their plugin publishes.
 *
 * - `true`: they are; while the plugin cannot be asked, their shape is trusted.
 * - `required`: they are; while the plugin cannot be asked, they are denied.
 * - `false`: only their shape is.
 */
export type VerifyConditions = boolean | 'required';

export interface ConditionCheckOptions {
  readonly verifyConditions: VerifyConditions;
  readonly maxConditionBytes: number;
}

/** The conditional verdict as it may leave the router, or why it may not. */
export type ConditionCheck = (
  verdict: Conditional,
  permission: Readonly<Permission>,
  deadline: Deadline,
) => Conditional | Failed | Promise<Conditional | Failed>;

export const conditionCheck =
  (options: ConditionCheckOptions, directory: RuleDirectory): ConditionCheck =>
  (said, permission, deadline) => {
    const { verifyConditions, maxConditionBytes } = options;
    const overgrown = treeProblem(said.conditions);
    if (overgrown !== undefined) return tooLarge(overgrown);
    const misshapen = shapeProblem(said, permission);
    if (misshapen !== undefined) return failed('invalid', 'BAD_CONDITIONS', misshapen);
    const verdict = { ...said, conditions: withParams(said.conditions) };
    const oversized = bytesProblem(bytesOf(verdict.conditions), maxConditionBytes);
    if (oversized !== undefined) return tooLarge(oversized);
    if (verifyConditions === false) return verdict;

    const judge = (metadata: RuleMetadata): Failed | undefined =>
      rulesProblem(verdict, metadata, verifyConditions);
    const wait = async (
      reading: Promise<RuleMetadata>,
      late: Failed | undefined,
    ): Promise<Conditional | Failed> => {
      const judged = reading.then(judge);
      return (await settleWithin(judged, deadline.remaining(), () => late)) ?? verdict;
    };

    const known = directory.known(verdict.pluginId);
    if (!known) {
      const late = judge({ kind: 'unread', why: 'no answer within the deadline' });
      return wait(directory.read(verdict.pluginId), late);
    }
    const problem = judge(known);
    if (!problem) return verdict;
    // It is read anew in the background already, and waiting would help nobody.
    if (known.kind === 'unread') return problem;
    const reading = directory.readAgain(verdict.pluginId);
    return reading ? wait(reading, problem) : problem;
  };

const tooLarge = (message: string): Failed =>
  failed('invalid', 'CONDITIONS_TOO_LARGE', message);

function rulesProblem(
  { pluginId, conditions }: Conditional,
  metadata: RuleMetadata,
  verify: Exclude<VerifyConditions, false>,
): Failed | undefined {
  const unverified = (why: string): Failed | undefined =>
    verify === 'required'
      ? failed('invalid', 'UNVERIFIED', `conditions could not be verified: ${why}`)
      : undefined;
  const plugin = `plugin ${quote(pluginId)}`;
  switch (metadata.kind) {
    case 'none':
      return failed(
        'invalid',
        'UNKNOWN_PLUGIN',
        `${plugin} publishes no permission rules (${metadata.why})`,
      );
    case 'unread':
      return unverified(`the rules of ${plugin} could not be read (${metadata.why})`);
    case 'published':
      for (const { resourceType, rule, params } of leavesOf(conditions)) {
        const published = metadata.rules.get(resourceType, rule);
        if (!published) {
          return failed(
            'invalid',
            'UNKNOWN_RULE',
            `${plugin} has no rule ${quote(rule)} for resource type ${quote(resourceType)}`,
          );
        }
        const problem = published.paramsProblem(params);
        if (problem?.kind === 'bad') {
          return failed('invalid', 'BAD_PARAMS', problem.message);
        }
        const doubt = problem && unverified(problem.message);
        if (doubt) return doubt;
      }
      return undefined;
  }
}

function leavesOf(criteria: Criteria): PermissionCondition[] {
  const children = childrenOf(criteria) as readonly Criteria[];
  return children.length > 0
    ? children.flatMap(leavesOf)
    : [criteria as PermissionCondition];
}
