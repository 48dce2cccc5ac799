import type { PermissionRequest } from '../request';
import type { Failure, FailureClass, Verdict } from '../verdict';

/** What was put to an external policy and what came back, word for word; for the debug log. */
export interface Exchange {
  readonly input: unknown;
  readonly response?: unknown;
}

/** The source gave no answer of its own. The guard resolves this; combining never sees it. */
export interface Failed {
  readonly kind: 'FAILED';
  readonly failure: Failure;
}

export type Answer = (Verdict | Failed) & {
  readonly exchange?: Exchange | undefined;
  /** True where it is the answer to another caller's identical question. */
  readonly shared?: boolean | undefined;
};

export const failed = (
  failureClass: FailureClass,
  code: string,
  message: string,
): Failed => ({ kind: 'FAILED', failure: { class: failureClass, code, message } });

/** A source that decides in this process, at once. It can break, but never be unavailable. */
export interface LocalSource {
  ask(request: PermissionRequest): Answer;
  close(): Promise<void>;
}

/** What an AbortController does, for one listener and at a twentieth of the price. */
export class Cancellation {
  aborted = false;
  onabort: (() => void) | undefined;

  /** @returns whether somebody listens; if not, the call runs on for as long as it will. */
  abort(): boolean {
    this.aborted = true;
    this.onabort?.();
    return this.onabort !== undefined;
  }
}

/** A question made ready for a remote source, and put at most once. */
export interface PreparedQuestion {
  /**
   * Questions of equal keys are the same in all that the source is told, the user included, so
   * one answer may serve them while it is under way. Undefined: it is shared with nobody.
   */
  readonly key: string | undefined;
  /**
   * Runs in the async context of whoever asked first.
   *
   * @param signal - aborted when the time for the answer is up; the answer is then ignored.
   */
  put(signal: Cancellation): Promise<Answer>;
}

/** A source that must be waited for: it can be slow, unavailable or overloaded. */
export interface RemoteSource {
  prepare(request: PermissionRequest): PreparedQuestion;
  /** Ends its connections; called when no question is under way any more. */
  close(): Promise<void>;
}
