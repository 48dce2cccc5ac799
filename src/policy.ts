import type {
  BackstageUserPrincipal,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import {
  AuthorizeResult,
  type Permission,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { Batch } from './batch';
import { createAccumulator, isTooLarge, routeDefault } from './combining/algorithms';
import type { RouterConfig } from './config/types';
import { bytesOf, excessOf } from './conditions/size';
import { complete } from './declared/complete';
import type { DeclaredPermissions } from './declared/declared-permissions';
import { noTurn } from './guard/guard';
import { IdentityError } from './identity';
import { Deadline } from './lib/deadline';
import type { Turns } from './lib/turns';
import {
  InvalidRequestError,
  readPermission,
  type PermissionRequest,
  type Principal,
} from './request';
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
    private readonly declared: Pick<DeclaredPermissions, 'of'>,
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
    const deadline = new Deadline(this.#snapshot.config.deadline);
    let verdict: ApplicableVerdict;
    try {
      verdict = await this.#snapshot.use(snapshot =>
        this.decide(snapshot, query, user, deadline, record),
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

  /**
   * What is asked is read at once, as the caller may use the objects again. Not async where there
   * is nothing to wait for: each promise delays every decision.
   */
  private decide(
    snapshot: Snapshot,
    query: PolicyQuery,
    user: PolicyQueryUser | undefined,
    deadline: Deadline,
    record: DecisionRecord,
  ): ApplicableVerdict | Promise<ApplicableVerdict> {
    const permission = this.question(readPermission(query), record);
    if (!user && snapshot.config.anonymous === 'deny') {
      return deny('the request has no user');
    }
    const routed = (
      principal: Principal,
    ): ApplicableVerdict | Promise<ApplicableVerdict> => {
      record.user = principal.userEntityRef;
      const request = { permission, principal, user };
      return this.turns.run(principal, hasWaited =>
        hasWaited && deadline.remaining() === 0
          ? denyWithoutTurn(record)
          : this.route(snapshot, request, deadline, record),
      );
    };
    const principal = this.currentBatch().identify(user, this.userInfo, deadline);
    return principal instanceof Promise ? principal.then(routed) : routed(principal);
  }

  /** As the plugin declares it, where the caller left something out. */
  private question(
    asked: Readonly<Permission>,
    record: DecisionRecord,
  ): Readonly<Permission> {
    record.permission = asked;
    const { permission, declared } = complete(asked, this.declared.of(asked.name));
    record.permission = permission;
    if (declared !== 'same') record.declared = declared;
    if (declared === 'completed') record.asked = asked;
    return permission;
  }

  private route(
    { config, table }: Snapshot,
    request: PermissionRequest,
    deadline: Deadline,
    record: DecisionRecord,
  ): ApplicableVerdict | Promise<ApplicableVerdict> {
    const matched = table.match(request.permission);
    record.route = matched?.label ?? 'fallback';
    if (matched) {
      return this.askSources(matched, request, deadline, record, config);
    }
    const reason = `no route matches: the fallback is ${config.fallback}`;
    return config.fallback === 'allow' ? allow(reason) : deny(reason);
  }

  /** Asks one source after the other until the result is settled. */
  private async askSources(
    route: ReadyRoute,
    request: PermissionRequest,
    deadline: Deadline,
    record: DecisionRecord,
    { maxConditionBytes, whenAskedWithoutResource }: RouterConfig,
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
      if (verdict.kind === 'CONDITIONAL' && route.legs.length > 1) {
        // Joining holds the event loop too.
        await this.turns.run(request.principal, () => accumulator.add(verdict));
      } else {
        accumulator.add(verdict);
      }
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
      if (record.asked?.type === 'basic') {
        record.withoutResource = true;
        return withoutResource(whenAskedWithoutResource, request.user);
      }
    }
    return combined;
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

/** The conditions of each source are within the limits; combined they are not. */
function denyTooLarge(excess: string, record: DecisionRecord): ApplicableVerdict {
  const message = `the sources of ${record.route} together give ${excess}`;
  record.failure = { class: 'invalid', code: 'CONDITIONS_TOO_LARGE', message };
  return deny(message);
}

/**
 * Backstage cannot apply conditions if it is asked about no resource. `allow` is only for what a
 * user asks: a service that acts for a user does not show a page.
 */
function withoutResource(
  setting: RouterConfig['whenAskedWithoutResource'],
  user: PolicyQueryUser | undefined,
): ApplicableVerdict {
  const reason = 'allowed for some resources; asked without a resource';
  if (setting === 'deny') return deny(reason);
  const principal = user?.credentials.principal as
    Partial<BackstageUserPrincipal> | undefined;
  if (principal?.type !== 'user') return deny(reason);
  return principal.actor
    ? deny(`${reason}, by a service on behalf of the user`)
    : allow(`${reason} (whenAskedWithoutResource: allow)`);
}

function denyWithoutTurn(record: DecisionRecord): ApplicableVerdict {
  record.failure = noTurn().failure;
  return deny(record.failure.message);
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
