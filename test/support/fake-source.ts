import type { Answer } from '../../src/answer';
import type { PermissionRequest } from '../../src/request';
import type {
  Cancellation,
  PreparedQuestion,
  RemoteSource,
} from '../../src/sources/source';

/** A question that the test answers. */
export interface PutQuestion {
  readonly request: PermissionRequest;
  readonly signal: Cancellation;
  answer(answer: Answer): void;
}

/** A remote source that the test answers; it ignores the signal unless the test reacts to it. */
export class ManualSource implements RemoteSource {
  readonly questions: PutQuestion[] = [];
  closed = false;

  /** @param key - by default no question is shared. */
  constructor(private readonly key?: (request: PermissionRequest) => string) {}

  prepare(request: PermissionRequest): PreparedQuestion {
    const what = this.key?.(request);
    return {
      key: what === undefined ? undefined : { who: '', what },
      put: signal =>
        new Promise(answer => this.questions.push({ request, signal, answer })),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** A remote source that answers with a function. */
export const sourceOf = (
  put: (request: PermissionRequest, signal: Cancellation) => Promise<Answer>,
): RemoteSource => ({
  prepare: request => ({ key: undefined, put: signal => put(request, signal) }),
  close: async () => {},
});
