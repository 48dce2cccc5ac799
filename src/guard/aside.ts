/**
 * A source asked beside the decisions, to explain one. It has its own slots, timeout and
 * connections, so that it takes none of theirs; it moves no breaker and no count of theirs, and
 * it asks nothing of a source that they do not ask either.
 */
import { failed, NEEDS_USER, type Answer } from '../answer';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import type { PermissionRequest } from '../request';
import type { CircuitBreakerOptions } from './breaker';
import type { Askable } from './guard';

/** Questions under way at once, at each endpoint. */
export const ASIDE_SLOTS = 2;
/** The same of a source whose calls cannot be ended: one that hangs keeps its slot. */
export const ASIDE_SLOTS_THAT_MAY_HANG = 200;
/** Questions that may wait for these slots. */
export const ASIDE_QUEUE = 16;

/** A breaker that never opens. */
export const NEVER_OPENS: CircuitBreakerOptions = {
  errorThreshold: 99,
  volumeThreshold: Number.MAX_SAFE_INTEGER,
  rollingWindow: 10_000,
  resetTimeout: 10_000,
  distinctUsers: 1,
};

export interface AsideOptions {
  /** Whether only the user in person can ask it, because it needs their credentials. */
  readonly needsUser: boolean;
  /** What every live question would get now without being put; undefined if it would be put. */
  readonly refusal: () => Answer | undefined;
}

export class AsideGuard implements Askable {
  constructor(
    private readonly guard: Askable,
    private readonly options: AsideOptions,
  ) {}

  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer> {
    if (this.options.needsUser && !request.user) {
      return failed(
        'invalid',
        NEEDS_USER,
        'a hosted policy needs the credentials of the user, so it cannot be asked for somebody else',
      );
    }
    return this.options.refusal() ?? this.guard.ask(request, deadline, checkConditions);
  }
}
