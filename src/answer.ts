/** What came of asking a source: a verdict, or a failure; and who was asked. */
import type { Failure, FailureClass, Verdict } from './verdict';

/** The source gave no answer of its own. The guard resolves this; combining never sees it. */
export interface Failed {
  readonly kind: 'FAILED';
  readonly failure: Failure;
}

export const failed = (
  failureClass: FailureClass,
  code: string,
  message: string,
): Failed => ({ kind: 'FAILED', failure: { class: failureClass, code, message } });

/** For what may fail and is no single answer, such as a request with several questions. */
export const isFailed = (outcome: { readonly kind: string }): outcome is FailedAnswer =>
  outcome.kind === 'FAILED';

/** The code of a question that nobody but the user in person can put. */
export const NEEDS_USER = 'NEEDS_USER';

/** The full input and response of an external policy; for the debug log only. */
export interface Exchange {
  readonly input: unknown;
  readonly response?: unknown;
}

/** How an answer was obtained. */
export interface AnswerDetails {
  readonly exchange?: Exchange | undefined;
  /** True if this is the answer to another caller's identical question. */
  readonly shared?: boolean | undefined;
  /** By which OPA's decision log names this decision, if OPA has one. */
  readonly decisionId?: string | undefined;
  /** How many questions its request had, if there were several. */
  readonly batched?: number | undefined;
  /** Set if it was asked by itself, after a request with several questions failed or was late. */
  readonly again?: 'failed' | 'late' | undefined;
}

export const detailsOf = ({
  exchange,
  shared,
  decisionId,
  batched,
  again,
}: AnswerDetails): AnswerDetails => ({ exchange, shared, decisionId, batched, again });

export type Answer = (Verdict | Failed) & AnswerDetails;
export type FailedAnswer = Failed & AnswerDetails;

/** Who is asked: a source, or its standby, at one of its endpoints. */
export interface LinkName {
  readonly source: string;
  /** Set if the source has several endpoints. */
  readonly endpoint?: string | undefined;
  /** True if it is asked in place of another source. */
  readonly standby: boolean;
}

/** For logs and reasons: `'opa' at http://10.0.0.1:8181`, `standby 'embedded'`. */
export const nameOf = ({ source, endpoint, standby }: LinkName): string =>
  `${standby ? 'standby ' : ''}'${source}'${endpoint === undefined ? '' : ` at ${endpoint}`}`;

/**
 * What went wrong, in words: the message with the code if it lacks it, and of an open circuit
 * breaker why it opened.
 */
export const problemOf = ({ cause, ...failure }: Failure): string =>
  cause ? `${withCode(cause)}, circuit breaker open` : withCode(failure);

function withCode({ code, message }: Pick<Failure, 'code' | 'message'>): string {
  const plain = (text: string): string => text.toLowerCase().replaceAll('_', ' ');
  return plain(message).includes(plain(code)) ? message : `${message} [${code}]`;
}

/** One link of a chain that was asked, and its answer. */
export interface Attempt extends LinkName, AnswerDetails {
  readonly verdict: Answer['kind'];
  readonly failure?: Failure | undefined;
  /** Time taken, in milliseconds. */
  readonly milliseconds: number;
}
