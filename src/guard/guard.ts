/**
 * What stands around a source. A guard answers every question with a verdict: whatever goes
 * wrong becomes a failure, and a failure becomes a verdict here and nowhere else. Combining
 * sees verdicts only.
 */
import { errorName } from '../quote';
import type { PermissionRequest } from '../request';
import {
  failed,
  type Answer,
  type Exchange,
  type Failed,
  type LocalSource,
} from '../sources/source';
import { allow, deny, type Failure, type Verdict } from '../verdict';
import type { ConditionCheck } from './conditions/check';
import type { Deadline } from './deadline';

/**
 * What an unavailable source counts as. `fail-closed`: DENY, nobody gets in while it is away.
 * `fail-open`: ALLOW, everybody does; a flood that makes the source time out does it too.
 */
export type OnUnavailable = 'fail-closed' | 'fail-open';

export interface GuardedAnswer {
  readonly verdict: Verdict;
  readonly exchange?: Exchange | undefined;
}

/** How an answer becomes a verdict. */
export interface Terms {
  readonly onUnavailable: OnUnavailable;
  readonly checkConditions: ConditionCheck;
}

/** A source that always answers with a verdict. */
export interface Guard {
  /** Never throws and never rejects. */
  ask(
    request: PermissionRequest,
    deadline: Deadline,
    terms: Terms,
  ): GuardedAnswer | Promise<GuardedAnswer>;
  /** Ends the source; a remote one is not asked any more, every question is then denied. */
  close(): Promise<void>;
}

/** Around a source that decides at once: it can break, but needs no time limit. */
export class LocalGuard implements Guard {
  constructor(private readonly source: LocalSource) {}

  ask(
    request: PermissionRequest,
    deadline: Deadline,
    terms: Terms,
  ): GuardedAnswer | Promise<GuardedAnswer> {
    return toVerdict(this.askSource(request), request, deadline, terms);
  }

  async close(): Promise<void> {
    await this.source.close();
  }

  private askSource(request: PermissionRequest): Answer {
    try {
      return this.source.ask(request);
    } catch (error) {
      return threw(error);
    }
  }
}

/** Checks an answer, and resolves a failure by the failure mode. */
export function toVerdict(
  answer: Answer,
  request: PermissionRequest,
  deadline: Deadline,
  { checkConditions, onUnavailable }: Terms,
): GuardedAnswer | Promise<GuardedAnswer> {
  const { exchange } = answer;
  const resolved = (checked: Answer): GuardedAnswer => ({
    verdict:
      checked.kind === 'FAILED'
        ? resolveFailure(checked.failure, onUnavailable)
        : checked,
    exchange,
  });
  if (answer.kind !== 'CONDITIONAL') return resolved(answer);
  try {
    const checked = checkConditions(answer, request.permission, deadline);
    return checked instanceof Promise
      ? checked.catch(threw).then(resolved)
      : resolved(checked);
  } catch (error) {
    return resolved(threw(error));
  }
}

/** The only place where a failure becomes a verdict. */
function resolveFailure(failure: Failure, onUnavailable: OnUnavailable): Verdict {
  const what = `${failure.class}: ${failure.message}`;
  if (failure.class !== 'unavailable') return { ...deny(what), failure };
  return onUnavailable === 'fail-open'
    ? { ...allow(`${what}; fail-open`), failure }
    : { ...deny(`${what}; fail-closed`), failure };
}

export const threw = (error: unknown): Failed =>
  failed('invalid', 'THREW', `the source threw ${errorName(error) ?? typeof error}`);
