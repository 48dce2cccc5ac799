import { createHash } from 'node:crypto';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { followFile, readSettled } from '../../lib/file-watch';
import { unpackBundle } from './bundle';
import { CompiledPolicy } from './compiled-policy';
import { Evaluator } from './evaluator';

/** The evaluator of a bundle as its file is now; of the last good one while it is bad. */
export class LiveEvaluator {
  private readonly endWatch: () => void;
  private lastProblem: string | undefined;
  private closed = false;

  private constructor(
    private readonly path: string,
    private readonly entrypoint: string,
    private readonly name: string,
    private readonly logger: LoggerService,
    private inUse: LoadedBundle,
  ) {
    this.endWatch = followFile(path, () => this.reload());
  }

  /**
   * @param name - of the source, for the log.
   * @throws Error that says why the bundle cannot be used.
   */
  static async load(
    path: string,
    entrypoint: string,
    name: string,
    logger: LoggerService,
  ): Promise<LiveEvaluator> {
    const loaded = await load(path, entrypoint);
    return new LiveEvaluator(path, entrypoint, name, logger, loaded);
  }

  get current(): Evaluator {
    return this.inUse.evaluator;
  }

  /** Ends the watch; the evaluator stays usable. */
  close(): void {
    this.closed = true;
    this.endWatch();
  }

  private async reload(): Promise<void> {
    try {
      const next = await load(this.path, this.entrypoint, this.inUse);
      if (this.closed) return;
      if (next !== this.inUse) {
        this.inUse = next;
        this.logger.info(`${this.who} has changed and is in use`);
      } else if (this.lastProblem !== undefined) {
        this.logger.info(`${this.who} is valid again and in use`);
      }
      this.lastProblem = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (this.closed || message === this.lastProblem) return;
      this.lastProblem = message;
      this.logger.error(
        `Source '${this.name}': the changed bundle is not used, the last good one stays: ${message}`,
      );
    }
  }

  private get who(): string {
    return `Source '${this.name}': the bundle '${this.path}'`;
  }
}

interface LoadedBundle {
  /** Of the file. */
  readonly digest: string;
  readonly evaluator: Evaluator;
}

/** @returns what is in use if the file has not changed since. */
async function load(
  path: string,
  entrypoint: string,
  inUse?: LoadedBundle,
): Promise<LoadedBundle> {
  const content = await readSettled(path).catch((error: Error) => {
    throw new Error(`the bundle '${path}' ${error.message}`, { cause: error });
  });
  const digest = createHash('sha256').update(content).digest('hex');
  if (digest === inUse?.digest) return inUse;
  try {
    const policy = await CompiledPolicy.compile(
      await unpackBundle(content),
      entrypoint,
    );
    return { digest, evaluator: new Evaluator(policy, entrypoint) };
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`the bundle '${path}' cannot be used: ${message}`, {
      cause: error,
    });
  }
}
