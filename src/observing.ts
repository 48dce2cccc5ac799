/**
 * Under observe another source answers, and the decision is only recorded. The answer waits for the
 * answering source alone; without an answer it is DENY. What is recorded is decided beside it.
 */
import type { Answering } from './snapshot';
import type { DecisionRecord } from './trace/record';
import type { ApplicableVerdict } from './verdict';

/** What is given to Backstage, and what is still being decided for the record. */
export interface Observation {
  readonly kind: 'OBSERVED';
  readonly given: ApplicableVerdict;
  /** Settles within the deadline, and never rejects. */
  readonly recorded: Promise<ApplicableVerdict>;
}

interface Asked {
  /**
   * Asks the answering source, and concludes a record of its own with what it says. Never rejects.
   */
  readonly given: (own: DecisionRecord) => Promise<ApplicableVerdict>;
  /** Decides as if it were enforced. Never rejects. */
  readonly recorded: () => Promise<ApplicableVerdict>;
}

/**
 * Whether the answer of another source is given. Never without a user, and an empty ref names none:
 * nobody could be told apart from anybody.
 */
export const observes = (
  answering: Answering | undefined,
  userEntityRef: string | undefined,
): answering is Answering =>
  answering !== undefined &&
  userEntityRef !== undefined &&
  userEntityRef.trim() !== '' &&
  Date.now() < answering.observe.until;

/**
 * @param record - of the decision; gets what is given.
 */
export async function observe(
  { observe: { answer, until } }: Answering,
  record: DecisionRecord,
  { given, recorded }: Asked,
): Promise<Observation> {
  const own: DecisionRecord = { ...record, sources: [] };
  const answered = given(own);
  const decided = recorded();
  const verdict = await answered;
  const { result, failure, cannotAsk, pluginId, conditions } = own;
  const { withoutResource, conditionSize } = own;
  const [source] = own.sources;
  const abstains = source?.verdict === 'NOT_APPLICABLE';
  const reason = abstains ? `'${answer}' abstains, so the answer is DENY` : own.reason;
  record.observed = {
    answer,
    until,
    result,
    reason,
    source,
    failure,
    cannotAsk,
    pluginId,
    conditions,
    withoutResource,
    conditionSize,
  };
  return { kind: 'OBSERVED', given: verdict, recorded: decided };
}
