import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Failure } from '../verdict';
import type { TraceSink } from './trace';

/** One kind of failure is written at most once in this time, in milliseconds. */
const QUIET_PERIOD = 60_000;

interface Tally {
  lastWritten: number;
  unwritten: number;
}

/**
 * Warns of failures, so that a denial in the night has its cause in the log without debug.
 * An outage repeats the same failure thousands of times a minute: only the first is written,
 * then at most one line a minute with the count of those left out.
 */
export function warnOfFailures(logger: LoggerService): TraceSink {
  const tallies = new Map<string, Tally>();

  const warn = (who: string, failure: Failure): void => {
    const key = `${who} ${failure.class} ${failure.code}`;
    const now = performance.now();
    const tally = tallies.get(key);
    if (tally && now - tally.lastWritten < QUIET_PERIOD) {
      tally.unwritten++;
      return;
    }
    const more = tally?.unwritten
      ? ` (and ${tally.unwritten} more since the last line)`
      : '';
    tallies.set(key, { lastWritten: now, unwritten: 0 });
    logger.warn(
      `${who} is ${failure.class} [${failure.code}]: ${failure.message}${more}`,
    );
  };

  return trace => {
    if (trace.failure) warn('The policy router', trace.failure);
    for (const { source, failure } of trace.sources) {
      if (failure) warn(`Source '${source}'`, failure);
    }
  };
}
