import type { Answer, RemoteSource, Cancellation } from '../../src/sources/source';

/** A question put to the fake source, answered when the test says so. */
export interface PutQuestion {
  readonly signal: Cancellation;
  answer(answer: Answer): void;
}

/** A remote source that answers by hand; it does not heed the signal unless the test does. */
export class ManualSource implements RemoteSource {
  readonly questions: PutQuestion[] = [];
  closed = false;

  ask(_request: unknown, signal: Cancellation): Promise<Answer> {
    return new Promise(answer => this.questions.push({ signal, answer }));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
