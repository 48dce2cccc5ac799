/**
 * A guard wraps a source and answers every question: anything that goes wrong becomes a failure,
 * which the chain resolves. Combining never sees a failure.
 */
import { errorNames } from '../lib/foreign-error';
import type { PermissionRequest } from '../request';
import { failed, type Answer, type Failed } from '../answer';
import type { LocalSource } from '../sources/source';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import { Turns } from '../lib/turns';

/** A source that always answers: with a verdict that can be applied, or with a failure. */
export interface Guard {
  /** Never throws and never rejects. */
  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer>;
  /** Closes the source; from then on a remote source fails every question. */
  close(): Promise<void>;
}

/**
 * Around a source that decides at once: it can break, but needs no time limit. It holds the event
 * loop while it decides, so it waits for a turn where many decisions are made at once.
 */
export class LocalGuard implements Guard {
  constructor(
    private readonly source: LocalSource,
    private readonly turns = new Turns(),
  ) {}

  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer> {
    return inTurn(this.turns, request, deadline, () =>
      checked(this.askSource(request), request, deadline, checkConditions),
    );
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

/** The answer, or a failure if it is conditional and Backstage could not apply it. */
export function checked(
  answer: Answer,
  request: PermissionRequest,
  deadline: Deadline,
  checkConditions: ConditionCheck,
): Answer | Promise<Answer> {
  if (answer.kind !== 'CONDITIONAL') return answer;
  const { exchange, shared } = answer;
  const withExchange = (result: Answer): Answer => ({ ...result, exchange, shared });
  try {
    const result = checkConditions(answer, request.permission, deadline);
    return result instanceof Promise
      ? result.catch(threw).then(withExchange)
      : withExchange(result);
  } catch (error) {
    return withExchange(threw(error));
  }
}

/** Does the work in the turn of the principal, unless the deadline passes in the wait for it. */
export const inTurn = (
  turns: Turns,
  { principal }: PermissionRequest,
  deadline: Deadline,
  work: () => Answer | Promise<Answer>,
): Answer | Promise<Answer> =>
  turns.run(principal, hasWaited =>
    hasWaited && deadline.remaining() === 0 ? noTurn() : work(),
  );

/** Too many decisions were asked for at once: a bounded wait is better than a late answer. */
export const noTurn = (): Failed =>
  failed(
    'overloaded',
    'NO_TURN',
    'the deadline passed in the wait for a turn: too many decisions were asked for at once',
  );

export const threw = (error: unknown): Failed =>
  failed('invalid', 'THREW', `the source threw ${errorNames(error)}`);
