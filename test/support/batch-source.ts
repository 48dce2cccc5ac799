import type { Answer } from '../../src/answer';
import type { PermissionRequest } from '../../src/request';
import type {
  BatchAnswer,
  Batching,
  Cancellation,
  PreparedQuestion,
  RemoteSource,
} from '../../src/sources/source';
import { allow, deny } from '../../src/verdict';
import { permission, request } from '../fixtures/builders';
import type { PutQuestion } from './fake-source';

/** A request with several questions, which the test answers. */
export interface PutBatch {
  readonly requests: readonly PermissionRequest[];
  readonly signal: Cancellation;
  answer(answer: BatchAnswer): void;
}

/** A source of batches that the test answers. Unless `hangs`, it ends what is given up. */
export class ManualBatches implements RemoteSource {
  readonly questions: PutQuestion[] = [];
  readonly batches: PutBatch[] = [];
  hangs = false;
  closed = false;
  /** Told of each request when it is put, in its async context. */
  onPut: (put: readonly PermissionRequest[]) => void = () => {};
  readonly batching: Batching;

  constructor(maxBytes = 1_000_000) {
    this.batching = {
      maxBytes,
      put: (questions, signal) =>
        new Promise(answer => {
          const requests = questions.map(({ request: each }) => each);
          this.endable(signal, answer);
          this.batches.push({ requests, signal, answer });
          this.onPut(requests);
        }),
    };
  }

  prepare(asked: PermissionRequest): PreparedQuestion {
    const { permission: what, principal: who } = asked;
    return {
      key: { who: JSON.stringify(who), what: JSON.stringify(what) },
      put: signal =>
        new Promise(answer => {
          this.endable(signal, answer);
          this.questions.push({ request: asked, signal, answer });
          this.onPut([asked]);
        }),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** What it was asked: `[a b]` for a batch, then each question that was put by itself. */
  get asked(): string[] {
    return [
      ...this.batches.map(({ requests }) => `[${requests.map(nameOf).join(' ')}]`),
      ...this.questions.map(({ request: { permission: each } }) => each.name),
    ];
  }

  /** The question of this name that was put by itself, the latest. */
  alone(name: string): PutQuestion {
    const found = this.questions.findLast(each => nameOf(each.request) === name);
    if (!found) throw new Error(`'${name}' was not put by itself`);
    return found;
  }

  private endable(
    signal: Cancellation,
    end: (answer: Answer & BatchAnswer) => void,
  ): void {
    if (this.hangs) return;
    signal.onabort = () =>
      end({
        kind: 'FAILED',
        failure: { class: 'invalid', code: 'CANCELLED', message: 'it was cancelled' },
      });
  }
}

const nameOf = ({ permission: { name } }: PermissionRequest): string => name;

/** A question of this user. */
export const questionOf = (user: string, name: string): PermissionRequest => ({
  permission: permission(name),
  principal: { userEntityRef: `user:default/${user}`, ownershipEntityRefs: [] },
});

export const question = (name: string): PermissionRequest => request(permission(name));

/** A batch's answers: ALLOW or DENY in the order of its questions. */
export const answers = (
  ...kinds: ReadonlyArray<'ALLOW' | 'DENY'>
): Extract<BatchAnswer, { kind: 'ANSWERED' }> => ({
  kind: 'ANSWERED',
  answers: kinds.map(kind => (kind === 'ALLOW' ? allow('') : deny(''))),
});
