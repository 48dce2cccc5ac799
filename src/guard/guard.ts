/**
 * A guard wraps a source and answers every question: anything that goes wrong becomes a failure,
 * which the chain resolves. Combining never sees a failure.
 */
import { errorNames } from '../lib/foreign-error';
import type { PermissionRequest } from '../request';
import { detailsOf, failed, type Answer, type Failed } from '../answer';
import type { LocalSource } from '../sources/source';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import { Turns } from '../lib/turns';
import type { BreakerState } from './breaker';
import { Tally, type TallyReading } from './tally';

/** What is asked in a chain. It always answers: with a verdict that can be applied, or a failure. */
export interface Askable {
  /** Never throws and never rejects. */
  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer>;
}

/** How a guard is. */
export interface GuardStatus extends TallyReading {
  /** Set around a source that must be waited for. */
  readonly remote?: RemoteStatus;
}

export interface RemoteStatus {
  readonly breaker: {
    readonly state: BreakerState;
    readonly since: number | undefined;
  };
  /** Requests under way; each is one question, or a batch of several. */
  readonly inFlight: number;
  /** Requests that wait for a slot. */
  readonly queued: number;
  /** Set if several questions may go out as one request; `problem`: why they do not. */
  readonly batch?: { readonly problem: string | undefined };
}

/** A source asked to compare it. */
export interface Shadow extends Askable {
  /** Ends the questions under way, and fails every later one. */
  close(): Promise<void>;
}

/** A source and all that protects decisions from it. */
export interface Guard extends Askable {
  /** The same source beside the decisions, see `aside.ts`. */
  readonly aside: Askable;
  /** The same source to compare it after a decision, see `shadow-guard.ts`. */
  readonly shadow: Shadow;
  status(): GuardStatus;
  /** Closes the source; from then on a remote source fails every question. */
  close(): Promise<void>;
}

/**
 * Around a source that decides at once: it can break, but needs no time limit. It holds the event
 * loop while it decides, so it waits for a turn where many decisions are made at once.
 */
export class LocalGuard implements Guard {
  private readonly tally = new Tally();
  private isShadowClosed = false;
  readonly aside: Askable = {
    ask: (...question) =>
      this.put(this.turns, ...question, request => this.askSource(request)),
  };
  readonly shadow: Shadow = {
    ask: (...question) =>
      this.put(this.turns.beside, ...question, request =>
        this.isShadowClosed ? closed() : this.askSource(request),
      ),
    close: async () => void (this.isShadowClosed = true),
  };

  constructor(
    private readonly source: LocalSource,
    private readonly turns = new Turns(),
  ) {}

  ask(
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
  ): Answer | Promise<Answer> {
    const began = performance.now();
    const answer = this.put(this.turns, request, deadline, checkConditions, asked =>
      this.askSource(asked),
    );
    const add = (said: Answer): Answer =>
      this.tally.add(said, performance.now() - began);
    return answer instanceof Promise ? answer.then(add) : add(answer);
  }

  status(): GuardStatus {
    return this.tally.read();
  }

  private put(
    turns: Turns,
    request: PermissionRequest,
    deadline: Deadline,
    checkConditions: ConditionCheck,
    ask: (request: PermissionRequest) => Answer,
  ): Answer | Promise<Answer> {
    return inTurn(turns, request, deadline, () =>
      checked(ask(request), request, deadline, checkConditions),
    );
  }

  async close(): Promise<void> {
    this.isShadowClosed = true;
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
  const withDetails = (result: Answer): Answer =>
    result === answer ? answer : { ...result, ...detailsOf(answer) };
  try {
    const result = checkConditions(answer, request.permission, deadline);
    return result instanceof Promise
      ? result.catch(threw).then(withDetails)
      : withDetails(result);
  } catch (error) {
    return withDetails(threw(error));
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

export const closed = (): Failed =>
  failed('invalid', 'CLOSED', 'the source has been closed');

export const threw = (error: unknown): Failed =>
  failed('invalid', 'THREW', `the source threw ${errorNames(error)}`);
