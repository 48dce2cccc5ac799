import { createHash } from 'node:crypto';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { readSettled, watchPath } from '../../lib/file-watch';
import { LastGood } from '../../lib/last-good';
import { unpackBundle } from './bundle';
import { CompiledPolicy } from './compiled-policy';
import { Evaluator } from './evaluator';

/** The evaluator of the current bundle file, or of the last good one while the file is bad. */
export class LiveEvaluator {
  private readonly endWatch: () => void;

  private constructor(
    path: string,
    private readonly bundles: LastGood<LoadedBundle>,
  ) {
    this.endWatch = watchPath(path, bundles.reload);
    // Picks up what has changed since the first reading.
    bundles.reload();
  }

  /**
   * @param name - the source's name, for the log.
   * @throws Error that says why the bundle cannot be used.
   */
  static async load(
    path: string,
    entrypoint: string,
    name: string,
    logger: LoggerService,
  ): Promise<LiveEvaluator> {
    const first = await load(path, entrypoint);
    const bundles = new LastGood(first, {
      load: inUse => load(path, entrypoint, inUse),
      accepted: ({ changed }) => {
        const how = changed ? 'has changed and is in use' : 'is valid again and in use';
        logger.info(`Source '${name}': the bundle '${path}' ${how}`);
      },
      rejected: problem =>
        logger.error(
          `Source '${name}': the changed bundle is not used, the last good one stays: ${problem}`,
        ),
    });
    return new LiveEvaluator(path, bundles);
  }

  get current(): Evaluator {
    return this.bundles.inUse.evaluator;
  }

  /** Ends the watch; the current evaluator stays usable. */
  close(): void {
    this.bundles.stop();
    this.endWatch();
  }
}

interface LoadedBundle {
  /** SHA-256 of the file. */
  readonly digest: string;
  readonly evaluator: Evaluator;
}

/** @returns `inUse` itself if the file has not changed since. */
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
