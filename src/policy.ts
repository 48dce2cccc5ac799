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
import { createAccumulator, routeDefault } from './combining/algorithms';
import { bytesOf, bytesProblem, treeProblem } from './conditions/size';
import { identify, IdentityError } from './identity';
import { Deadline } from './lib/deadline';
import {
  ANONYMOUS,
  InvalidRequestError,
  readPermission,
  type PermissionRequest,
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
  /** Holds the config with its secrets; `#`, so that printing the policy prints none of them. */
  #snapshot: Snapshot;

  constructor(
    snapshot: Snapshot,
    private readonly userInfo: UserInfoService,
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
    let verdict: ApplicableVerdict;
    try {
      verdict = await this.#snapshot.use(snapshot =>
        this.decide(snapshot, query, user, record),
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

  private async decide(
    { config, table }: Snapshot,
    query: PolicyQuery,
    user: PolicyQueryUser | undefined,
    record: DecisionRecord,
  ): Promise<ApplicableVerdict> {
    const deadline = new Deadline(config.deadline);
    const permission = (record.permission = readPermission(query));
    if (!user && config.anonymous === 'deny') return deny('the request has no user');
    const principal = user ? await identify(user, this.userInfo, deadline) : ANONYMOUS;
    record.user = principal.userEntityRef;

    const route = table.match(permission);
    record.route = route?.label ?? 'fallback';
    if (!route) {
      const reason = `no route matches: the fallback is ${config.fallback}`;
      return config.fallback === 'allow' ? allow(reason) : deny(reason);
    }
    const request = { permission, principal, user };
    const combined = await askSources(route, request, deadline, record);
    return limitSize(combined, config.maxConditionBytes, record);
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

/** Asks one source after the other until the result is settled. */
async function askSources(
  route: ReadyRoute,
  request: PermissionRequest,
  deadline: Deadline,
  { sources }: DecisionRecord,
): Promise<ApplicableVerdict> {
  const accumulator = createAccumulator(route.combine);
  for (const { name, chain } of route.legs) {
    if (accumulator.settled) {
      sources.push({ source: name, verdict: 'NOT_ASKED' });
      continue;
    }
    const started = performance.now();
    const answer = chain.ask(request, deadline);
    const { verdict, ...how } = answer instanceof Promise ? await answer : answer;
    accumulator.add(verdict);
    sources.push({
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

/** The conditions of each source are within the limits; combined they may not be. */
function limitSize(
  verdict: ApplicableVerdict,
  limit: number,
  record: DecisionRecord,
): ApplicableVerdict {
  if (verdict.kind !== 'CONDITIONAL') return verdict;
  const bytes = bytesOf(verdict.conditions);
  const problem = treeProblem(verdict.conditions) ?? bytesProblem(bytes, limit);
  if (problem !== undefined) {
    const message = `the sources of ${record.route} together give ${problem}`;
    record.failure = { class: 'invalid', code: 'CONDITIONS_TOO_LARGE', message };
    return deny(message);
  }
  record.conditionSize = { bytes, limit };
  return verdict;
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
