import type { LoggerService } from '@backstage/backend-plugin-api';
import { nameOf } from '../answer';
import { quote } from '../lib/quote';
import type { Failure } from '../verdict';
import type { SourceRecord, TraceSink } from './record';

/** One kind of failure is written at most once in this time, in milliseconds. */
const QUIET_PERIOD = 60_000;
/** Past so many kinds, invalid answers of one code are one kind, whatever their cause. */
const MAX_KINDS = 200;

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

  const warn = (who: string, failure: Failure, asked: string): void => {
    const key = kindOf(who, failure, tallies);
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
      `${who} is ${failure.class} [${failure.code}]: ${failure.message}${asked}${more}`,
    );
  };

  return ({ permission, failure: ofRouter, sources }) => {
    const askedFor = ({ class: failureClass }: Failure): string =>
      failureClass === 'invalid' && permission
        ? `, asked for ${quote(permission.name)}`
        : '';
    if (ofRouter) warn('The policy router', ofRouter, askedFor(ofRouter));
    for (const source of sources) {
      for (const { who, failure } of failuresOf(source)) {
        warn(who, failure, askedFor(failure));
      }
    }
  };
}

function failuresOf({ source, endpoint, failure, attempts }: SourceRecord) {
  if (!attempts) {
    const who = `Source ${nameOf({ source, endpoint, standby: false })}`;
    return failure ? [{ who, failure }] : [];
  }
  return attempts.flatMap(attempt => {
    const who = `Source ${nameOf(attempt)}${attempt.standby ? ` of '${source}'` : ''}`;
    return attempt.failure ? [{ who, failure: attempt.failure }] : [];
  });
}

/** An outage is one kind; each thing that is wrong in a policy is one of its own. */
function kindOf(
  who: string,
  { class: failureClass, code, message }: Failure,
  tallies: ReadonlyMap<string, unknown>,
): string {
  const kind = `${who} ${failureClass} ${code}`;
  const precise = `${kind} ${message}`;
  const isRoom = tallies.has(precise) || tallies.size < MAX_KINDS;
  return failureClass === 'invalid' && isRoom ? precise : kind;
}
