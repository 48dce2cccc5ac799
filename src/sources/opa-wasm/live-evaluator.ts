import type { LoggerService } from '@backstage/backend-plugin-api';
import { STUCK, watchPath } from '../../lib/file-watch';
import { LastGood } from '../../lib/last-good';
import { BundleFile } from './bundle-file';
import type { Evaluator } from './evaluator';

/** Milliseconds until a bundle that could not be read is tried again. */
const RETRY_INTERVAL = 10_000;

/** The evaluator of the current bundle file, or of the last good one while the file is bad. */
export class LiveEvaluator {
  private readonly endWatch: () => void;

  private constructor(
    path: string,
    private readonly bundles: LastGood<Evaluator>,
    onStuck: () => void,
  ) {
    this.endWatch = watchPath(path, { changed: bundles.reload, stuck: onStuck });
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
    const file = new BundleFile(path, entrypoint);
    const bundles = new LastGood(await file.load(), {
      load: () => file.load(),
      accepted: ({ changed }) => {
        const how = changed ? 'has changed and is in use' : 'is valid again and in use';
        logger.info(`Source '${name}': the bundle '${path}' ${how}`);
      },
      rejected: problem =>
        logger.error(
          `Source '${name}': the changed bundle is not used, the last good one stays: ${problem}`,
        ),
      retryAfter: RETRY_INTERVAL,
    });
    return new LiveEvaluator(path, bundles, () =>
      logger.warn(`Source '${name}': the bundle '${path}' ${STUCK}`),
    );
  }

  get current(): Evaluator {
    return this.bundles.inUse;
  }

  /** Ends the watch; the current evaluator stays usable. */
  close(): void {
    this.bundles.stop();
    this.endWatch();
  }
}
