import type { BackstageUserInfo, UserInfoService } from '@backstage/backend-plugin-api';
import {
  AuthorizeResult,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { createAccumulator, routeDefault } from './combining/algorithms';
import { bytesOf, bytesProblem, treeProblem } from './conditions/size';
import { Deadline, settleWithin } from './lib/deadline';
import {
  ANONYMOUS,
  InvalidRequestError,
  readPermission,
  readPrincipal,
  type PermissionRequest,
  type Principal,
} from './request';
import type { ReadyRoute, Snapshot } from './snapshot';
import type { DecisionTrace, SourceTrace, TraceSink } from './trace/record';
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
  /** Holds the config with its secrets; `#`, so that whoever prints the policy prints none. */
  #snapshot: Snapshot;

  constructor(
    snapshot: Snapshot,
    private readonly userInfo: UserInfoService,
    private readonly traceSinks: readonly TraceSink[],
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

  /** Ends the sources once the decisions under way are made. */
  close(): void {
    this.closed = true;
    this.#snapshot.retire();
  }

  /** Never rejects: one rejection would fail the whole batch of the permission backend. */
  async handle(query: PolicyQuery, user?: PolicyQueryUser): Promise<PolicyDecision> {
    const started = performance.now();
    const snapshot = this.#snapshot.enter();
    const draft: Draft = { sources: [] };
    let verdict: ApplicableVerdict;
    try {
      verdict = await this.decide(snapshot, query, user, draft);
    } catch (error) {
      verdict = denyOnError(error, draft);
    } finally {
      snapshot.leave();
    }
    this.trace({
      permission: draft.permission,
      user: draft.user,
      route: draft.route,
      sources: draft.sources,
      result: verdict.kind,
      reason: verdict.reason,
      failure: draft.failure,
      conditions: verdict.kind === 'CONDITIONAL' ? verdict.conditions : undefined,
      conditionSize: draft.conditionSize,
      milliseconds: performance.now() - started,
    });
    return toDecision(verdict);
  }

  private async decide(
    snapshot: Snapshot,
    query: PolicyQuery,
    user: PolicyQueryUser | undefined,
    draft: Draft,
  ): Promise<ApplicableVerdict> {
    const { config, table } = snapshot;
    const deadline = new Deadline(config.deadline);
    const permission = (draft.permission = readPermission(query));
    if (!user && config.anonymous === 'deny') return deny('the request has no user');
    const principal = user ? await this.identify(user, deadline) : ANONYMOUS;
    draft.user = principal.userEntityRef;

    const route = table.match(permission);
    draft.route = route?.label ?? 'fallback';
    if (!route) {
      const reason = `no route matches: the fallback is ${config.fallback}`;
      return config.fallback === 'allow' ? allow(reason) : deny(reason);
    }
    const request = { permission, principal, user };
    const combined = await askSources(route, request, deadline, draft.sources);
    return limitSize(combined, config.maxConditionBytes, draft);
  }

  private async identify(
    user: PolicyQueryUser,
    deadline: Deadline,
  ): Promise<Principal> {
    // The host gives `info` today, but has deprecated it; the service is what stays.
    const given = user.info as PolicyQueryUser['info'] | undefined;
    if (given) return readPrincipal(given);
    const info = await settleWithin(
      this.lookUp(user),
      deadline.remaining(),
      () => undefined,
    );
    if (!info)
      throw new IdentityError('the identity of the user could not be obtained in time');
    return readPrincipal(info);
  }

  private async lookUp(user: PolicyQueryUser): Promise<BackstageUserInfo | undefined> {
    try {
      return await this.userInfo.getUserInfo(user.credentials);
    } catch {
      throw new IdentityError('the identity of the user could not be obtained');
    }
  }

  private trace(trace: DecisionTrace): void {
    for (const sink of this.traceSinks) {
      try {
        sink(trace);
      } catch {
        // A broken sink must change no decision.
      }
    }
  }
}

/** What is known of a decision so far. */
interface Draft {
  permission?: DecisionTrace['permission'];
  user?: string | undefined;
  route?: string;
  sources: SourceTrace[];
  failure?: Failure;
  conditionSize?: DecisionTrace['conditionSize'];
}

class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/** Asks one source after the other until the result is settled. */
async function askSources(
  route: ReadyRoute,
  request: PermissionRequest,
  deadline: Deadline,
  traces: SourceTrace[],
): Promise<ApplicableVerdict> {
  const accumulator = createAccumulator(route.combine);
  for (const { name, chain } of route.legs) {
    if (accumulator.settled) {
      traces.push({ source: name, verdict: 'NOT_ASKED' });
      continue;
    }
    const started = performance.now();
    const answer = chain.ask(request, deadline);
    const { verdict, ...how } = answer instanceof Promise ? await answer : answer;
    accumulator.add(verdict);
    traces.push({
      source: name,
      verdict: verdict.kind,
      reason: verdict.reason,
      failure: 'failure' in verdict ? verdict.failure : undefined,
      milliseconds: performance.now() - started,
      ...how,
    });
  }
  return accumulator.result() ?? routeDefault(route.default);
}

/** Each source's conditions were within the limits; joined they may not be. */
function limitSize(
  verdict: ApplicableVerdict,
  limit: number,
  draft: Draft,
): ApplicableVerdict {
  if (verdict.kind !== 'CONDITIONAL') return verdict;
  const bytes = bytesOf(verdict.conditions);
  const problem = treeProblem(verdict.conditions) ?? bytesProblem(bytes, limit);
  if (problem !== undefined) {
    const message = `the sources of ${draft.route} together give ${problem}`;
    draft.failure = { class: 'invalid', code: 'CONDITIONS_TOO_LARGE', message };
    return deny(message);
  }
  draft.conditionSize = { bytes, limit };
  return verdict;
}

function denyOnError(error: unknown, draft: Draft): ApplicableVerdict {
  if (isA(InvalidRequestError, error)) return deny(error.message);
  const failure: Failure = isA(IdentityError, error)
    ? { class: 'unavailable', code: 'IDENTITY', message: error.message }
    : {
        class: 'invalid',
        code: 'INTERNAL',
        message: 'an internal error of the policy router',
      };
  draft.failure = failure;
  return deny(failure.message);
}

/** `instanceof`, of whatever was thrown: a proxy may not let itself be looked at. */
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
