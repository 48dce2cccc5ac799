import type { Answer, FailedAnswer } from '../answer';
import type { PermissionRequest } from '../request';

/** A source that decides in this process, at once. It can fail, but is never unavailable. */
export interface LocalSource {
  ask(request: PermissionRequest): Answer;
  close(): Promise<void>;
}

/** Like an AbortController with a single listener, at a twentieth of its cost. */
export class Cancellation {
  aborted = false;
  onabort: (() => void) | undefined;

  /** @returns whether there is a listener; without one the call goes on until it ends by itself. */
  abort(): boolean {
    this.aborted = true;
    this.onabort?.();
    return this.onabort !== undefined;
  }
}

/** All that a question sends. In two parts, so that those of one user share the longer one. */
export interface QuestionKey {
  readonly who: string;
  readonly what: string;
}

/** A question ready to be put to a remote source, at most once. */
export interface PreparedQuestion {
  /**
   * Questions with equal keys send the same to the source, the user included, so one answer may
   * serve them all while it is under way. Undefined: the question is not shared.
   */
  readonly key: QuestionKey | undefined;
  /**
   * Runs in the async context of the first caller.
   *
   * @param signal - aborted when the time for the answer is over; the answer is then ignored.
   */
  put(signal: Cancellation): Promise<Answer>;
}

/** What came of one request with several questions. */
export type BatchAnswer =
  /** In the order of the questions. */
  | { readonly kind: 'ANSWERED'; readonly answers: readonly Answer[] }
  /** The source was reached, but cannot answer several questions in one request. */
  | { readonly kind: 'UNUSABLE'; readonly problem: string }
  | FailedAnswer;

/** One of several questions in a request. */
export interface BatchQuestion {
  readonly request: PermissionRequest;
  /** Of its prepared question. */
  readonly key: QuestionKey;
}

/** How a source answers several questions in one request. */
export interface Batching {
  /** Of all questions of a request, in bytes; the user, who is sent once, is not counted. */
  readonly maxBytes: number;
  /**
   * @param questions - at least two, of one user.
   * @param signal - aborted when the time for the answer is over; the answer is then ignored.
   */
  put(questions: readonly BatchQuestion[], signal: Cancellation): Promise<BatchAnswer>;
}

/** A source that answers asynchronously: it can be slow, unavailable or overloaded. */
export interface RemoteSource {
  prepare(request: PermissionRequest): PreparedQuestion;
  /** Set if several questions of one user may go out as one request. */
  readonly batching?: Batching | undefined;
  /** Closes its connections; called once no question is under way. */
  close(): Promise<void>;
}
