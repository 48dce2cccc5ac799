import type { UserInfoService } from '@backstage/backend-plugin-api';
import {
  AuthorizeResult,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { Batch } from './batch';
import { createAccumulator, isTooLarge, routeDefault } from './combining/algorithms';
import { bytesOf, excessOf } from './conditions/size';
import { noTurn } from './guard/guard';
import { IdentityError } from './identity';
import { Deadline } from './lib/deadline';
import type { Turns } from './lib/turns';
import { InvalidRequestError, readPermission, type PermissionRequest } from './request';
import type { ReadyRoute, Snapshot } from './snapshot';
import { newRecord, type DecisionRecord, type TraceSink } from './trace/record';
import { allow, deny, type ApplicableVerdict, type Failure } from './verdict';

/**
 * The one permission policy. A decision goes one way:
 *
 *   request → route → verdicts → combine → decision → trace
 *
 * This file knows the order of the stages, and nothing else does.
 */
export class PolicyRouter implements PermissionPolicy {
  private closed = false;
  /** Of this turn of the event loop. */
  private batch: Batch | undefined;
  /** Holds the config with its secrets; `#`, so that printing the policy prints none of them. */
  #snapshot: Snapshot;

  constructor(
    snapshot: Snapshot,
    private readonly userInfo: UserInfoService,
    private readonly turns: Turns,
    private readonly sinks: readonly TraceSink[],
  ) {
    this.#snapshot = snapshot;
  }

  /** Decisions that begin from now on are made with `next`. */
  swap(next: Snapshot): void {
    const previous = this.#snapshot;
    this.#snapshot = next;
    previous.retire();
    if (this.closed) next.retire();
  }

  /** Closes the sources once the decisions under way are made. */
  close(): void {
    this.closed = true;
    this.#snapshot.retire();
  }

  /** Never rejects: one rejection would fail the whole batch of the permission backend. */
  async handle(query: PolicyQuery, user?: PolicyQueryUser): Promise<PolicyDecision> {
    const started = performance.now();
    const record = newRecord();
    const batch = this.currentBatch();
    const deadline = new Deadline(this.#snapshot.config.deadline);
    let verdict: ApplicableVerdict;
    try {
      verdict = await this.#snapshot.use(snapshot =>
        this.turns.run(batch, hasWaited =>
          hasWaited && deadline.remaining() === 0
            ? denyWithoutTurn(query, user, record)
            : this.decide(snapshot, query, user, batch, deadline, record),
        ),
      );
    } catch (error) {
      verdict = denyOnError(error, record);
    }
    record.result = verdict.kind;
    record.reason = verdict.reason;
    record.conditions = verdict.kind === 'CONDITIONAL' ? verdict.conditions : undefined;
    record.milliseconds = performance.now() - started;
    this.trace(record);
    return toDecision(verdict);
  }

  /** Not async where there is nothing to wait for: each promise delays every decision. */
  private decide(
    snapshot: Snapshot,
    query: PolicyQuery,
    user: PolicyQueryUser | undefined,
    batch: Batch,
    deadline: Deadline,
    record: DecisionRecord,
  ): ApplicableVerdict | Promise<ApplicableVerdict> {
    const { config } = snapshot;
    const permission = (record.permission = readPermission(query));
    if (!user && config.anonymous === 'deny') return deny('the request has no user');
    const principal = batch.identify(user, this.userInfo, deadline);
    return principal instanceof Promise
      ? principal.then(late =>
          route(snapshot, { permission, principal: late, user }, deadline, record),
        )
      : route(snapshot, { permission, principal, user }, deadline, record);
  }

  private currentBatch(): Batch {
    if (!this.batch) {
      this.batch = new Batch();
      setImmediate(() => (this.batch = undefined));
    }
    return this.batch;
  }

  private trace(record: DecisionRecord): void {
    for (const sink of this.sinks) {
      try {
        sink(record);
      } catch {
        // A broken sink must not change a decision.
      }
    }
  }
}

function route(
  { config, table }: Snapshot,
  request: PermissionRequest,
  deadline: Deadline,
  record: DecisionRecord,
): ApplicableVerdict | Promise<ApplicableVerdict> {
  record.user = request.principal.userEntityRef;
  const matched = table.match(request.permission);
  record.route = matched?.label ?? 'fallback';
  if (matched) {
    return askSources(matched, request, deadline, record, config.maxConditionBytes);
  }
  const reason = `no route matches: the fallback is ${config.fallback}`;
  return config.fallback === 'allow' ? allow(reason) : deny(reason);
}

/** Asks one source after the other until the result is settled. */
async function askSources(
  route: ReadyRoute,
  request: PermissionRequest,
  deadline: Deadline,
  record: DecisionRecord,
  maxConditionBytes: number,
): Promise<ApplicableVerdict> {
  const { sources } = record;
  const accumulator = createAccumulator(route.combine, excessOf(maxConditionBytes));
  for (const { name, chain } of route.legs) {
    if (accumulator.settled) {
      sources.push({ source: name, verdict: 'NOT_ASKED' });
      continue;
    }
    const started = performance.now();
    const asked = chain.ask(request, deadline);
    const answer = asked instanceof Promise ? await asked : asked;
    const { verdict } = answer;
    accumulator.add(verdict);
    sources.push({
      source: name,
      verdict: verdict.kind,
      reason: verdict.reason,
      failure: 'failure' in verdict ? verdict.failure : undefined,
      milliseconds: performance.now() - started,
      exchange: answer.exchange,
      shared: answer.shared,
      endpoint: answer.endpoint,
      attempts: answer.attempts,
    });
  }
  const combined = accumulator.result() ?? routeDefault(route.default);
  if (isTooLarge(combined)) return denyTooLarge(combined.reason, record);
  if (combined.kind === 'CONDITIONAL') {
    const bytes = bytesOf(combined.conditions);
    record.conditionSize = { bytes, limit: maxConditionBytes };
  }
  return combined;
}

/** The conditions of each source are within the limits; combined they are not. */
function denyTooLarge(excess: string, record: DecisionRecord): ApplicableVerdict {
  const message = `the sources of ${record.route} together give ${excess}`;
  record.failure = { class: 'invalid', code: 'CONDITIONS_TOO_LARGE', message };
  return deny(message);
}

function denyWithoutTurn(
  query: PolicyQuery,
  user: PolicyQueryUser | undefined,
  record: DecisionRecord,
): ApplicableVerdict {
  record.permission = readPermission(query);
  record.user = userRefOf(user);
  record.failure = noTurn().failure;
  return deny(record.failure.message);
}

/** For the record of a decision that is not made; undefined if the host does not give it. */
function userRefOf(user: PolicyQueryUser | undefined): string | undefined {
  const info = user?.info as Partial<PolicyQueryUser['info']> | undefined;
  return typeof info?.userEntityRef === 'string' ? info.userEntityRef : undefined;
}

function denyOnError(error: unknown, record: DecisionRecord): ApplicableVerdict {
  if (isA(InvalidRequestError, error)) return deny(error.message);
  const failure: Failure = isA(IdentityError, error)
    ? { class: 'unavailable', code: 'IDENTITY', message: error.message }
    : {
        class: 'invalid',
        code: 'INTERNAL',
        message: 'an internal error of the policy router',
      };
  record.failure = failure;
  return deny(failure.message);
}

/** `instanceof` for anything that was thrown: the traps of a Proxy may throw. */
function isA<E extends Error>(
  kind: new (message: string) => E,
  error: unknown,
): error is E {
  try {
    return error instanceof kind;
  } catch {
    return false;
  }
}

function toDecision(verdict: ApplicableVerdict): PolicyDecision {
  switch (verdict.kind) {
    case 'ALLOW':
      return { result: AuthorizeResult.ALLOW };
    case 'DENY':
      return { result: AuthorizeResult.DENY };
    case 'CONDITIONAL':
      return {
        result: AuthorizeResult.CONDITIONAL,
        pluginId: verdict.pluginId,
        resourceType: verdict.resourceType,
        conditions: verdict.conditions,
      };
  }
}
