import { webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { readSettled } from '../../lib/file-watch';
import { inWorker, WorkerFailure, type WorkerLimits } from '../../lib/in-worker';
import { lookAt } from '../../lib/plain-file';
import { MAX_BUNDLE_BYTES } from './bundle';
import type { BundleTask } from './bundle.worker';
import { CompiledPolicy, type PolicyImage } from './compiled-policy';
import { Evaluator } from './evaluator';

const LOADER = join(__dirname, 'bundle.worker');
/** Data that fit take about a tenth of both; no data.json of 64 MiB needs as much memory. */
const LIMITS: WorkerLimits = { timeout: 120_000, heap: 2048 };

/** What the file was found to be: the evaluator of its content, or why that cannot be used. */
interface Found {
  /** Undefined if the file was too young. */
  readonly version: string | undefined;
  /** SHA-256 of the content. */
  readonly digest: string;
  readonly outcome: { readonly evaluator: Evaluator } | { readonly error: Error };
}

/** The file of a bundle. It is loaded in a worker, and only if its content has changed. */
export class BundleFile {
  private last: Found | undefined;
  /** The last one with an evaluator, which a bad one may be changed back to. */
  private good: Found | undefined;

  /** @param limits - of the thread that loads it. */
  constructor(
    private readonly path: string,
    private readonly entrypoint: string,
    private readonly limits = LIMITS,
  ) {}

  /**
   * @returns the same evaluator as before if the content has not changed since.
   * @throws Error that names the file and says why it cannot be used; its `cause` may be a
   *   `PassingProblem`.
   */
  async load(): Promise<Evaluator> {
    try {
      this.last = await this.find();
    } catch (cause) {
      throw new Error(`the bundle '${this.path}' ${(cause as Error).message}`, {
        cause,
      });
    }
    const { outcome } = this.last;
    if ('error' in outcome) throw outcome.error;
    this.good = this.last;
    return outcome.evaluator;
  }

  private async find(): Promise<Found> {
    const { last } = this;
    if (
      last?.version !== undefined &&
      last.version === (await lookAt(this.path)).version
    )
      return last;
    const { content, version } = await readSettled(this.path, {
      maxBytes: MAX_BUNDLE_BYTES,
    });
    const digest = await sha256(content);
    const known = [last, this.good].find(found => found?.digest === digest);
    const outcome = known?.outcome ?? (await this.outcomeOf(content));
    return { version, digest, outcome };
  }

  /** @throws WorkerFailure, which the next load may not meet. */
  private async outcomeOf(content: Buffer): Promise<Found['outcome']> {
    const task: BundleTask = { content, entrypoint: this.entrypoint };
    try {
      const policy = new CompiledPolicy(
        await inWorker<PolicyImage>(LOADER, task, this.limits),
      );
      const first = await policy.instantiateGently();
      return { evaluator: new Evaluator(policy, this.entrypoint, first) };
    } catch (cause) {
      const { message } = cause as Error;
      if (cause instanceof WorkerFailure)
        throw new Error(`cannot be used: loading it failed: it ${message}`, { cause });
      const problem = `the bundle '${this.path}' cannot be used: ${message}`;
      return { error: new Error(problem, { cause }) };
    }
  }
}

/** In a thread of libuv, because a large file takes long. */
async function sha256(content: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', content)).toString('hex');
}
