import type { LoggerService } from '@backstage/backend-plugin-api';
import { givenBy } from './facts';
import type { TraceSink } from './record';

/** The largest request body that a plugin accepts, in bytes. */
const HOST_LIMIT = 102_400;

/**
 * Warns once per route of conditions that have at least an eighth of the limit. After the policy
 * has decided, Backstage sends the conditions of a whole batch to the plugin in one request of at
 * most 100 kB, so large conditions make large batches fail.
 */
export function warnOfLargeConditions(logger: LoggerService): TraceSink {
  const warnedRoutes = new Set<string | undefined>();
  return record => {
    const { route } = record;
    const { conditionSize } = givenBy(record);
    if (!conditionSize || conditionSize.bytes * 8 < conditionSize.limit) return;
    if (warnedRoutes.has(route)) return;
    warnedRoutes.add(route);
    const { bytes, limit } = conditionSize;
    logger.warn(
      `${route}: conditions of ${bytes} bytes, at least an eighth of maxConditionBytes (${limit}). ` +
        'Backstage sends the conditions of a whole batch in one request of at most 100 kB, ' +
        `so a batch of ${Math.ceil(HOST_LIMIT / bytes)} or more will fail`,
    );
  };
}
