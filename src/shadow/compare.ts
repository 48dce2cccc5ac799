/** One decision once more, with another source in place of one of its own. */
import { NEEDS_USER } from '../answer';
import { isUncertain, type AskedLeg, type AskedRoute } from '../asking';
import { areSame } from '../conditions/algebra';
import type { ChainAnswer } from '../guard/chain';
import type { Deadline } from '../lib/deadline';
import type { PermissionRequest } from '../request';
import type { ReadyRoute, ReadyShadow } from '../snapshot';
import { newRecord, type DecisionRecord } from '../trace/record';
import { notApplicable } from '../verdict';

/** Why two results say nothing about each other. */
export const UNDETERMINED = ['live_failure', 'shadow_failure', 'hosted'] as const;
export type Undetermined = (typeof UNDETERMINED)[number];

export type Outcome =
  | { readonly kind: 'same' }
  /** `record`: of the decision with the other source. */
  | { readonly kind: 'differs'; readonly record: Readonly<DecisionRecord> }
  | { readonly kind: 'undetermined'; readonly why: Undetermined };

/** A decision that has been made, and how to make it again. */
export interface Comparable {
  readonly route: Pick<ReadyRoute, 'combine' | 'default'>;
  readonly request: PermissionRequest;
  readonly record: Readonly<DecisionRecord>;
  /** What its sources have answered, by their names. */
  readonly answers: ReadonlyMap<string, ChainAnswer>;
  /** Asks these sources the same question, and puts the result into the record. */
  readonly decide: (
    route: AskedRoute,
    record: DecisionRecord,
    deadline: Deadline,
  ) => Promise<void>;
}

/**
 * The sources that have answered are not asked again. A failure on either side settles that the
 * results cannot be compared, so then nobody else is asked.
 *
 * @param isOver - whether the result is no longer wanted; then nobody is asked either.
 */
export async function compare(
  { route, request, record: live, answers, decide }: Comparable,
  shadow: ReadyShadow,
  deadline: Deadline,
  isOver: () => boolean,
): Promise<Outcome> {
  if (hasFailed(live)) return { kind: 'undetermined', why: 'live_failure' };
  let why: Undetermined | undefined;
  const ask = async ({ name, shadow: chain }: ReadyShadow['legs'][number]) => {
    if (why !== undefined || isOver()) return NOT_ASKED;
    const answer = answers.get(name) ?? (await chain.ask(request, deadline));
    why ??= problemOf(answer);
    return answer;
  };
  const legs = shadow.legs.map((leg): AskedLeg => {
    const asked = { ask: () => ask(leg) };
    return { name: leg.name, chain: asked, aside: asked };
  });
  const record = sameQuestion(live);
  await decide(
    { combine: route.combine, default: route.default, legs },
    record,
    deadline,
  );
  if (why !== undefined) return { kind: 'undetermined', why };
  return isSameResult(live, record) ? { kind: 'same' } : { kind: 'differs', record };
}

const NOT_ASKED: ChainAnswer = { verdict: notApplicable('not asked') };

/** Too large conditions are a result of what the sources say; all else is an outage or a bug. */
const hasFailed = ({ failure, sources }: Readonly<DecisionRecord>): boolean =>
  (failure !== undefined && failure.code !== 'CONDITIONS_TOO_LARGE') ||
  sources.some(source => source.failure !== undefined);

/** Why an answer is not what the source would have said to a decision. */
function problemOf(answer: ChainAnswer): Undetermined | undefined {
  const { verdict, attempts = [] } = answer;
  const failure = 'failure' in verdict ? verdict.failure : undefined;
  const codes = [failure?.code, ...attempts.map(each => each.failure?.code)];
  if (codes.includes(NEEDS_USER)) return 'hosted';
  return failure || isUncertain(answer) ? 'shadow_failure' : undefined;
}

/** As the stages before the sources leave it. */
const sameQuestion = (live: Readonly<DecisionRecord>): DecisionRecord => ({
  ...newRecord(),
  at: live.at,
  permission: live.permission,
  asked: live.asked,
  declared: live.declared,
  user: live.user,
  refs: live.refs,
  route: live.route,
  routeIndex: live.routeIndex,
});

function isSameResult(
  one: Readonly<DecisionRecord>,
  other: Readonly<DecisionRecord>,
): boolean {
  if (one.result !== other.result || one.pluginId !== other.pluginId) return false;
  if (!one.conditions || !other.conditions) return one.conditions === other.conditions;
  return areSame(one.conditions, other.conditions);
}
