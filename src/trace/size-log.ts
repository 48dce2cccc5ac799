import type { LoggerService } from '@backstage/backend-plugin-api';
import type { TraceSink } from './record';

/** Of the body that a plugin takes to apply conditions, in bytes. */
const HOST_LIMIT = 102_400;

/**
 * Warns, once a route, of conditions of an eighth of the limit or more. Backstage sends the conditions
 * of all items of a batch to the plugin in one request of at most 100 kB, after the policy has
 * decided, so large conditions fail large batches.
 */
export function warnOfLargeConditions(logger: LoggerService): TraceSink {
  const told = new Set<string | undefined>();
  return ({ route, conditionSize }) => {
    if (!conditionSize || conditionSize.bytes * 8 < conditionSize.limit) return;
    if (told.has(route)) return;
    told.add(route);
    const { bytes, limit } = conditionSize;
    logger.warn(
      `${route}: conditions of ${bytes} bytes, an eighth of maxConditionBytes (${limit}) or more. ` +
        'Backstage puts those of a whole batch into one request of at most 100 kB, ' +
        `so a batch of ${Math.ceil(HOST_LIMIT / bytes)} or more will fail`,
    );
  };
}
