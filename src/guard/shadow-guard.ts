/**
 * A source asked to compare it, after a decision has been answered. It has slots, a queue,
 * connections and a circuit breaker of its own, made when it is first asked, so whatever becomes
 * of its questions, the decisions notice nothing.
 */
import { failed, NEEDS_USER, type Answer } from '../answer';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import type { PermissionRequest } from '../request';
import { closed, type Shadow } from './guard';

/** Questions under way at once, at each endpoint. */
export const SHADOW_SLOTS = 16;
/** Questions that may wait for these slots. */
export const SHADOW_QUEUE = 64;

/** Around a source that must be waited for. */
export class RemoteShadow implements Shadow {
  private guard: Shadow | undefined;
  private isClosed = false;

  /**
   * @param needsUser - whether only the user in person can ask it.
   * @param build - the guard that asks it.
   */
  constructor(
    private readonly needsUser: boolean,
    private readonly build: () => Shadow,
  ) {}

  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer> {
    if (this.isClosed) return closed();
    if (this.needsUser) {
      return failed(
        'invalid',
        NEEDS_USER,
        'a hosted policy cannot be asked again: it needs the credentials of the user',
      );
    }
    this.guard ??= this.build();
    return this.guard.ask(request, deadline, checkConditions);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const { guard } = this;
    this.guard = undefined;
    await guard?.close();
  }
}
