import type { LoggerService } from '@backstage/backend-plugin-api';
import { nameOf } from '../answer';
import { quote } from '../lib/quote';
import type { Failure } from '../verdict';
import { askedIn } from './facts';
import type { SourceRecord, TraceSink } from './record';

/** One kind of failure is logged at most once in this many milliseconds. */
const QUIET_PERIOD = 60_000;
/** Once there are this many kinds, a source's invalid answers with one code count as one kind. */
const MAX_KINDS = 200;

interface Tally {
  lastLogged: number;
  suppressed: number;
}

/**
 * Warns of failures, so that the cause of a denial is in the log without debug logging. An outage
 * repeats the same failure thousands of times a minute: the first is logged at once, then at most
 * one a minute, with the number of those left out.
 */
export function warnOfFailures(logger: LoggerService): TraceSink {
  const tallies = new Map<string, Tally>();

  const warn = (what: string, failure: Failure, suffix: string): void => {
    const key = kindOf(what, failure, tallies);
    const now = performance.now();
    const tally = tallies.get(key);
    if (tally && now - tally.lastLogged < QUIET_PERIOD) {
      tally.suppressed++;
      return;
    }
    const more = tally?.suppressed
      ? ` (and ${tally.suppressed} more since the last line)`
      : '';
    tallies.set(key, { lastLogged: now, suppressed: 0 });
    logger.warn(`${what} [${failure.code}]: ${failure.message}${suffix}${more}`);
  };

  return record => {
    const { permission, declared, failure: ofRouter, observed } = record;
    // The permission may be one of a resource; then the policy is right, and the question is short.
    const isShort =
      permission?.type === 'basic' && (declared === 'unread' || declared === 'several');
    // An invalid answer may be about this permission only; an outage is about all of them.
    const nameFor = ({ class: failureClass }: Failure): string =>
      failureClass === 'invalid' && permission
        ? ` (permission ${quote(permission.name)})`
        : '';
    for (const failure of [ofRouter, observed?.failure]) {
      if (failure) warn('The policy router failed', failure, nameFor(failure));
    }
    for (const source of askedIn(record)) {
      for (const { name, failure } of failuresOf(source)) {
        if (isShort && failure.code === 'BAD_CONDITIONS') continue;
        warn(`${name} is ${failure.class}`, failure, nameFor(failure));
      }
    }
  };
}

function failuresOf({ source, endpoint, failure, attempts }: SourceRecord) {
  if (!attempts) {
    const name = `Source ${nameOf({ source, endpoint, standby: false })}`;
    return failure ? [{ name, failure }] : [];
  }
  return attempts.flatMap(attempt => {
    const name = `Source ${nameOf(attempt)}${attempt.standby ? ` of '${source}'` : ''}`;
    return attempt.failure ? [{ name, failure: attempt.failure }] : [];
  });
}

/** An outage is one kind, whatever its messages; every mistake in a policy is its own kind. */
function kindOf(
  what: string,
  { class: failureClass, code, message }: Failure,
  tallies: ReadonlyMap<string, unknown>,
): string {
  const kind = `${what} ${code}`;
  const precise = `${kind} ${message}`;
  const isRoom = tallies.has(precise) || tallies.size < MAX_KINDS;
  return failureClass === 'invalid' && isRoom ? precise : kind;
}
