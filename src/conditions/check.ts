/**
 * Whether Backstage can apply the conditions of a source. Conditions that it cannot apply make
 * it fail the whole batch with HTTP 500, 400 or 404, and answer lists empty. So they are checked
 * before they leave the router:
 *
 *   tree size → fit to the permission → bytes → the owning plugin's published rules
 */
import type { Permission } from '@backstage/plugin-permission-common';
import { failed, type Failed } from '../answer';
import { settleWithin, type Deadline } from '../lib/deadline';
import { quote } from '../lib/quote';
import type { Conditional } from '../verdict';
import { Findings, type Finding } from './findings';
import { misfit } from './fit';
import type { RuleDirectory } from './rule-directory';
import type { RuleMetadata } from './rule-metadata';
import { bytesOf, bytesProblem, treeProblem } from './size';
import { leavesOf } from './tree';

/**
 * Whether conditions are checked against the rules that their plugin publishes.
 *
 * - `true`: yes; while the plugin cannot be asked, its conditions are trusted.
 * - `required`: yes; while the plugin cannot be asked, its conditions are denied.
 * - `false`: no.
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

export function conditionCheck(
  options: ConditionCheckOptions,
  directory: RuleDirectory,
): ConditionCheck {
  const { verifyConditions, maxConditionBytes } = options;
  const findings = new Findings();
  const fit = (verdict: Conditional, permission: Readonly<Permission>): Finding =>
    fitProblem(verdict, permission, maxConditionBytes);
  return (verdict, permission, deadline) => {
    const unfit = findings.fit(verdict, permission, fit);
    if (unfit) return unfit;
    if (verifyConditions === false) return verdict;

    const judge = (metadata: RuleMetadata): Finding =>
      findings.rules(verdict, metadata, () =>
        rulesProblem(verdict, metadata, verifyConditions),
      );
    const wait = async (
      reading: Promise<RuleMetadata>,
      late: Finding,
    ): Promise<Conditional | Failed> => {
      const judged = reading.then(judge);
      return (await settleWithin(judged, deadline.remaining(), () => late)) ?? verdict;
    };

    const known = directory.known(verdict.pluginId);
    if (!known) {
      const late = judge(LATE);
      return wait(directory.read(verdict.pluginId), late);
    }
    const problem = judge(known);
    if (!problem) return verdict;
    // It is already being read again in the background; waiting would not help.
    if (known.kind === 'unread') return problem;
    const reading = directory.readAgain(verdict.pluginId);
    return reading ? wait(reading, problem) : problem;
  };
}

/** The rules could not be had in time. */
const LATE: RuleMetadata = { kind: 'unread', why: 'no answer within the deadline' };

/** Why Backstage could not apply the conditions, as far as that depends on no other plugin. */
function fitProblem(
  verdict: Conditional,
  permission: Readonly<Permission>,
  maxBytes: number,
): Finding {
  const overgrown = treeProblem(verdict.conditions, maxBytes);
  if (overgrown !== undefined) return tooLarge(overgrown);
  const unfit = misfit(verdict, permission);
  if (unfit !== undefined) return failed('invalid', 'BAD_CONDITIONS', unfit);
  const oversized = bytesProblem(bytesOf(verdict.conditions), maxBytes);
  return oversized === undefined ? undefined : tooLarge(oversized);
}

const tooLarge = (message: string): Failed =>
  failed('invalid', 'CONDITIONS_TOO_LARGE', message);

/** Why the plugin could not apply the conditions, by the rules that it publishes. */
export function rulesProblem(
  { pluginId, conditions }: Pick<Conditional, 'pluginId' | 'conditions'>,
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
