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
import { askSources, type AskedFor, type AskedRoute } from './asking';
import { Batch } from './batch';
import type { RouterConfig } from './config/types';
import { complete } from './declared/complete';
import type { DeclaredPermissions } from './declared/declared-permissions';
import { noTurn } from './guard/guard';
import { IdentityError } from './identity';
import { Deadline } from './lib/deadline';
import type { Turns } from './lib/turns';
import { observe, observes, type Observation } from './observing';
import {
  InvalidRequestError,
  readPermission,
  type PermissionRequest,
  type Principal,
} from './request';
import { Recordings } from './recordings';
import type { Shadows } from './shadow/shadows';
import type { Snapshot } from './snapshot';
import type { Delivery } from './trace/delivery';
import { newRecord, type DecisionRecord } from './trace/record';
import { Spans, within, type DecisionSpan } from './trace/spans';
import { allow, deny, type ApplicableVerdict, type Failure } from './verdict';

type Decided = ApplicableVerdict | Observation;

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
  private readonly spans = new Spans();
  private readonly recordings = new Recordings();
  /** Holds the config with its secrets; `#`, so that printing the policy prints none of them. */
  #snapshot: Snapshot;

  constructor(
    snapshot: Snapshot,
    private readonly userInfo: UserInfoService,
    private readonly turns: Turns,
    private readonly declared: Pick<DeclaredPermissions, 'of'>,
    private readonly delivery: Pick<Delivery, 'add'>,
    private readonly shadows: Pick<Shadows, 'prepare'>,
  ) {
    this.#snapshot = snapshot;
  }

  /** What decisions that begin now are made with. */
  get snapshot(): Pick<Snapshot, 'table' | 'statuses'> {
    return this.#snapshot;
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
    const deadline = new Deadline(this.#snapshot.config.deadline, started);
    const span = this.spans.decision();
    const deliver = (verdict: ApplicableVerdict, waited: number): void => {
      conclude(record, verdict, waited);
      span?.end(record);
      this.delivery.add(record);
    };
    let decided: Decided;
    try {
      const deciding = within(span, () =>
        this.#snapshot.use(snapshot =>
          this.decide(snapshot, query, user, deadline, record, span),
        ),
      );
      decided = deciding instanceof Promise ? await deciding : deciding;
    } catch (error) {
      decided = denyOnError(error, record);
    }
    const waited = performance.now() - started;
    if (decided.kind === 'OBSERVED') {
      // Nobody waits for it, so nobody may learn of an error in it either.
      decided.recorded.then(verdict => deliver(verdict, waited)).catch(() => {});
      return toDecision(decided.given);
    }
    deliver(decided, waited);
    return toDecision(decided);
  }

  /**
   * As `handle` would decide now, in a record of its own. It is no decision: it takes no slot of
   * one, moves no breaker, and no sink gets the record. Never rejects.
   *
   * @param user - as the host gives it; undefined to ask for somebody else than the caller.
   */
  async explain(
    permission: Permission,
    principal: Principal,
    user?: PolicyQueryUser,
  ): Promise<DecisionRecord> {
    const started = performance.now();
    const record = newRecord();
    record.user = principal.userEntityRef;
    record.refs = principal.ownershipEntityRefs;
    let verdict: ApplicableVerdict;
    try {
      const decided = await this.#snapshot.use(snapshot => {
        const deadline = new Deadline(snapshot.config.deadline);
        const asked = this.question(readPermission({ permission }), record);
        const request = { permission: asked, principal, user };
        return this.route(snapshot, request, deadline, record, 'aside');
      });
      verdict = decided.kind === 'OBSERVED' ? await decided.recorded : decided;
    } catch (error) {
      verdict = denyOnError(error, record);
    }
    conclude(record, verdict, performance.now() - started);
    return record;
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
    span: DecisionSpan | undefined,
  ): Decided | Promise<Decided> {
    const permission = this.question(readPermission(query), record);
    if (!user && snapshot.config.anonymous === 'deny') {
      return deny('the request has no user (anonymous: deny)');
    }
    const routed = (principal: Principal): Decided | Promise<Decided> => {
      record.user = principal.userEntityRef;
      record.refs = principal.ownershipEntityRefs;
      const request = { permission, principal, user };
      return this.turns.run(principal, hasWaited =>
        hasWaited && deadline.remaining() === 0
          ? denyWithoutTurn(record)
          : this.route(snapshot, request, deadline, record, 'chain', span),
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
    snapshot: Snapshot,
    request: PermissionRequest,
    deadline: Deadline,
    record: DecisionRecord,
    by: AskedFor['by'],
    span?: DecisionSpan,
  ): Decided | Promise<Decided> {
    const { config, table } = snapshot;
    const matched = table.match(request.permission);
    record.route = matched?.label ?? 'fallback';
    record.routeIndex = matched?.index;
    if (!matched) record.nearest = table.nearest(request.permission);
    const { turns } = this;
    const askedFor = { request, deadline, record, settings: config, turns, by, span };
    const enforced = (
      within = deadline,
    ): ApplicableVerdict | Promise<ApplicableVerdict> => {
      if (!matched) return fallback(config);
      const asked = within === deadline ? askedFor : { ...askedFor, deadline: within };
      if (matched.shadows.length === 0 || by === 'aside')
        return this.verdict(matched, asked, config);
      const answers = this.shadows.prepare({
        snapshot,
        route: matched,
        request,
        record,
        decide: (...other) => this.decideAgain(...other, asked, config),
      });
      return this.verdict(matched, { ...asked, answers }, config);
    };
    const { answering } = matched ?? snapshot;
    if (!observes(answering, request.principal.userEntityRef)) return enforced();
    return observe(answering, record, {
      given: async own => {
        const began = performance.now();
        const verdict = await orDeny(own, () =>
          this.verdict(answering.route, { ...askedFor, record: own }, config),
        );
        conclude(own, verdict, performance.now() - began);
        return verdict;
      },
      // The sources that it asks may answer after Backstage has been answered.
      recorded: async () =>
        snapshot.use(() => this.recorded(record, by, config, enforced)),
    });
  }

  /** Decides for the record. Beside the decisions somebody waits for that, too. */
  private recorded(
    record: DecisionRecord,
    by: AskedFor['by'],
    { deadline }: RouterConfig,
    enforced: (within?: Deadline) => ApplicableVerdict | Promise<ApplicableVerdict>,
  ): Promise<ApplicableVerdict> {
    if (by === 'aside') return orDeny(record, enforced);
    return this.recordings.run(
      () => orDeny(record, () => enforced(new Deadline(deadline))),
      failure => {
        record.failure = failure;
        return deny(failure.message);
      },
    );
  }

  /** The same question, decided by other sources; the record is that of this decision only. */
  private async decideAgain(
    route: AskedRoute,
    record: DecisionRecord,
    deadline: Deadline,
    askedFor: AskedFor,
    config: RouterConfig,
  ): Promise<void> {
    const started = performance.now();
    const turns = this.turns.beside;
    const again = { ...askedFor, record, deadline, turns, span: undefined };
    const verdict = await this.verdict(route, again, config);
    conclude(record, verdict, performance.now() - started);
  }

  private verdict(
    route: AskedRoute,
    askedFor: AskedFor,
    config: RouterConfig,
  ): ApplicableVerdict | Promise<ApplicableVerdict> {
    const verdict = askSources(route, askedFor);
    return verdict instanceof Promise
      ? verdict.then(said => this.applicable(said, askedFor, config))
      : this.applicable(verdict, askedFor, config);
  }

  private applicable(
    verdict: ApplicableVerdict,
    askedFor: AskedFor,
    { whenAskedWithoutResource }: RouterConfig,
  ): ApplicableVerdict {
    const { record, request } = askedFor;
    if (verdict.kind !== 'CONDITIONAL' || record.asked?.type !== 'basic')
      return verdict;
    record.withoutResource = true;
    const isExplained = askedFor.by === 'aside' && !request.user;
    return withoutResource(
      whenAskedWithoutResource,
      isExplained ? 'user' : request.user,
    );
  }

  private currentBatch(): Batch {
    if (!this.batch) {
      this.batch = new Batch();
      setImmediate(() => (this.batch = undefined));
    }
    return this.batch;
  }
}

function fallback({ fallback: result }: RouterConfig): ApplicableVerdict {
  const reason = `no route matches: the fallback is ${result}`;
  return result === 'allow' ? allow(reason) : deny(reason);
}

/**
 * Backstage cannot apply conditions if it is asked about no resource. `allow` is only for what a
 * user asks: a service that acts for a user does not show a page.
 *
 * @param user - `'user'` for any user who asks in person.
 */
export function withoutResource(
  setting: RouterConfig['whenAskedWithoutResource'],
  user: PolicyQueryUser | undefined | 'user',
): ApplicableVerdict {
  const reason = 'allowed for some resources; asked without a resource';
  if (setting === 'deny') return deny(reason);
  const principal =
    user === 'user'
      ? { type: user }
      : (user?.credentials.principal as Partial<BackstageUserPrincipal> | undefined);
  if (principal?.type !== 'user') return deny(reason);
  return 'actor' in principal && principal.actor
    ? deny(`${reason}, by a service on behalf of the user`)
    : allow(`${reason} (whenAskedWithoutResource: allow)`);
}

function conclude(
  record: DecisionRecord,
  verdict: ApplicableVerdict,
  milliseconds: number,
): void {
  record.result = verdict.kind;
  record.reason = verdict.reason;
  if (verdict.kind === 'CONDITIONAL') {
    record.pluginId = verdict.pluginId;
    record.conditions = verdict.conditions;
  }
  record.milliseconds = milliseconds;
}

function denyWithoutTurn(record: DecisionRecord): ApplicableVerdict {
  record.failure = noTurn().failure;
  return deny(record.failure.message);
}

async function orDeny(
  record: DecisionRecord,
  decide: () => ApplicableVerdict | Promise<ApplicableVerdict>,
): Promise<ApplicableVerdict> {
  try {
    return await decide();
  } catch (error) {
    return denyOnError(error, record);
  }
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
