/** The combining algorithms over plain booleans: the whole list, no accumulator, no algebra. */
import type { CombiningAlgorithm } from '../../../src/combining/algorithms';
import type { Verdict } from '../../../src/verdict';
import { holds, type Assignment } from './conditions';

/** Whether the verdict allows this resource; undefined if it abstains. */
export function meaning(
  verdict: Verdict | undefined,
  assignment: Assignment,
): boolean | undefined {
  if (verdict === undefined || verdict.kind === 'NOT_APPLICABLE') return undefined;
  if (verdict.kind === 'CONDITIONAL') return holds(verdict.conditions, assignment);
  return verdict.kind === 'ALLOW';
}

export function combineMeanings(
  algorithm: CombiningAlgorithm,
  meanings: ReadonlyArray<boolean | undefined>,
): boolean | undefined {
  const applicable = meanings.filter(each => each !== undefined);
  if (applicable.length === 0) return undefined;
  if (algorithm === 'first-applicable') return applicable[0];
  return algorithm === 'deny-overrides'
    ? !applicable.includes(false)
    : applicable.includes(true);
}

/** The kind that the combined verdict must have if all conditions are from one plugin. */
export function combineKinds(
  algorithm: CombiningAlgorithm,
  verdicts: readonly Verdict[],
): Verdict['kind'] | undefined {
  const kinds: Array<Verdict['kind']> = verdicts
    .map(({ kind }) => kind)
    .filter(kind => kind !== 'NOT_APPLICABLE');
  if (algorithm === 'first-applicable') return kinds[0];
  const byPrecedence: Array<Verdict['kind']> =
    algorithm === 'deny-overrides'
      ? ['DENY', 'CONDITIONAL', 'ALLOW']
      : ['ALLOW', 'CONDITIONAL', 'DENY'];
  return byPrecedence.find(kind => kinds.includes(kind));
}
