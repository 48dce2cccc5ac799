/**
 * What stands around a source. A guard answers every question with a verdict: whatever goes
 * wrong becomes a failure, and a failure becomes a verdict here and nowhere else. Combining
 * sees verdicts only.
 */
import type { PermissionRequest } from '../request';
import {
  failed,
  type Answer,
  type Exchange,
  type Failed,
  type LocalSource,
} from '../sources/source';
import { allow, deny, type Failure, type Verdict } from '../verdict';
import { conditionProblem } from './conditions';
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

/** A source that always answers with a verdict. */
export interface Guard {
  /** Never throws and never rejects. */
  ask(
    request: PermissionRequest,
    deadline: Deadline,
    onUnavailable: OnUnavailable,
  ): GuardedAnswer | Promise<GuardedAnswer>;
  /** Ends the source; a remote one is not asked any more, every question is then denied. */
  close(): Promise<void>;
}

/** Around a source that decides at once: it can break, but needs no time limit. */
export class LocalGuard implements Guard {
  constructor(private readonly source: LocalSource) {}

  ask(
    request: PermissionRequest,
    _deadline: Deadline,
    onUnavailable: OnUnavailable,
  ): GuardedAnswer {
    return toVerdict(this.askSource(request), request, onUnavailable);
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
  onUnavailable: OnUnavailable,
): GuardedAnswer {
  const checked =
    answer.kind === 'CONDITIONAL' ? checkConditions(answer, request) : answer;
  const { exchange } = answer;
  return checked.kind === 'FAILED'
    ? { verdict: resolveFailure(checked.failure, onUnavailable), exchange }
    : { verdict: checked, exchange };
}

/** Conditions that Backstage would choke on are `invalid`. */
function checkConditions(
  answer: Extract<Answer, { kind: 'CONDITIONAL' }>,
  { permission }: PermissionRequest,
): Answer {
  try {
    const problem = conditionProblem(answer, permission);
    return problem === undefined
      ? answer
      : failed('invalid', 'BAD_CONDITIONS', problem);
  } catch (error) {
    return threw(error);
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

/** The error's name only: the message of a foreign error may hold anything. */
export function threw(error: unknown): Failed {
  const name =
    typeof error === 'object' && error !== null && 'name' in error
      ? String(error.name)
      : typeof error;
  return failed('invalid', 'THREW', `the source threw ${name}`);
}
