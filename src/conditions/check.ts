/**
 * Whether Backstage can apply the conditions of a source. Conditions that it cannot apply make
 * it fail the whole batch with HTTP 500, 400 or 404, and answer lists empty. So they are checked
 * before they leave the router:
 *
 *   tree size → fit to the permission → bytes → the owning plugin's published rules
 */
import {
  isResourcePermission,
  type Permission,
} from '@backstage/plugin-permission-common';
import { failed, type Failed } from '../answer';
import { settleWithin, type Deadline } from '../lib/deadline';
import { quote } from '../lib/quote';
import type { Conditional, Conditions } from '../verdict';
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
  const passed = new Passed();
  return (verdict, permission, deadline) => {
    const known =
      verifyConditions === false ? undefined : directory.known(verdict.pluginId);
    if (passed.has(verdict, permission, known)) return verdict;
    const overgrown = treeProblem(verdict.conditions, maxConditionBytes);
    if (overgrown !== undefined) return tooLarge(overgrown);
    const unfit = misfit(verdict, permission);
    if (unfit !== undefined) return failed('invalid', 'BAD_CONDITIONS', unfit);
    const oversized = bytesProblem(bytesOf(verdict.conditions), maxConditionBytes);
    if (oversized !== undefined) return tooLarge(oversized);
    if (verifyConditions === false) {
      passed.add(verdict, known);
      return verdict;
    }

    const judge = (metadata: RuleMetadata): Failed | undefined =>
      rulesProblem(verdict, metadata, verifyConditions);
    const wait = async (
      reading: Promise<RuleMetadata>,
      late: Failed | undefined,
    ): Promise<Conditional | Failed> => {
      const judged = reading.then(judge);
      return (await settleWithin(judged, deadline.remaining(), () => late)) ?? verdict;
    };

    if (!known) {
      const late = judge({ kind: 'unread', why: 'no answer within the deadline' });
      return wait(directory.read(verdict.pluginId), late);
    }
    const problem = judge(known);
    if (!problem) {
      passed.add(verdict, known);
      return verdict;
    }
    // It is already being read again in the background; waiting would not help.
    if (known.kind === 'unread') return problem;
    const reading = directory.readAgain(verdict.pluginId);
    return reading ? wait(reading, problem) : problem;
  };
}

/**
 * Conditions that have passed, so that those of many callers are checked once: an answer that
 * they share, or the owner's condition of a batch. Conditions are frozen.
 */
class Passed {
  private readonly last = new WeakMap<
    Conditions,
    { readonly verdict: Conditional; readonly metadata: RuleMetadata | undefined }
  >();

  add(verdict: Conditional, metadata: RuleMetadata | undefined): void {
    this.last.set(verdict.conditions, { verdict, metadata });
  }

  /** Whether they have passed under the same names, for this resource type, by the same rules. */
  has(
    { conditions, pluginId, resourceType }: Conditional,
    permission: Readonly<Permission>,
    metadata: RuleMetadata | undefined,
  ): boolean {
    const passed = this.last.get(conditions);
    return (
      passed !== undefined &&
      passed.metadata === metadata &&
      passed.verdict.pluginId === pluginId &&
      passed.verdict.resourceType === resourceType &&
      isResourcePermission(permission, resourceType)
    );
  }
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
