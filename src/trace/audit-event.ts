/** What the audit says of a decision. docs/audit.md describes it; a change of it is a new version. */
import type { JsonObject, JsonValue } from '@backstage/types';
import { cut } from '../lib/bounded';
import type { Failure } from '../verdict';
import {
  askedIn,
  decidingAttempt,
  fieldsOf,
  hasTooLarge,
  isFailOpen,
  standbyOf,
  timeOf,
  type PermissionFields,
} from './facts';
import type { DecisionRecord, ObservedRecord, SourceRecord } from './record';

export const SCHEMA_VERSION = 1;

/** In characters: of a reason, and of any other text. */
const MAX_REASON = 1000;
const MAX_TEXT = 500;
const MAX_REFS = 1000;

export interface AuditEvent {
  readonly eventId: 'decision' | 'outage' | 'table-changed';
  /** Backstage logs `low` at debug only, so it is never used. */
  readonly severityLevel: 'medium' | 'high';
  readonly meta: JsonObject;
}

/** What makes a decision worth an event even if it is not DENY. */
export interface Ways {
  /** A failure counted as ALLOW. */
  readonly failOpen: boolean;
  /** A standby decided for its source. */
  readonly standby: boolean;
  /** The user is a member of a group that is allowed everything. */
  readonly bypass: boolean;
}

export const waysOf = (record: DecisionRecord): Ways => {
  const { result, sources, observed } = record;
  const bypasses = ({ bypass }: SourceRecord): boolean => bypass !== undefined;
  return {
    failOpen: result !== 'DENY' && sources.some(isFailOpen),
    standby: askedIn(record).some(source => standbyOf(source) !== undefined),
    bypass:
      (result !== 'DENY' && sources.some(bypasses)) ||
      (observed?.source !== undefined && bypasses(observed.source)),
  };
};

/**
 * What came by fail-open is the one thing that nobody decided. What is only recorded has opened
 * nothing.
 */
export const severityOf = (
  { failOpen }: Ways,
  { observed }: Pick<DecisionRecord, 'observed'>,
): AuditEvent['severityLevel'] => (failOpen && !observed ? 'high' : 'medium');

/** @param isFull - with refs and condition values, which are needed to decide it again. */
export function decisionEvent(
  record: DecisionRecord,
  ways: Ways,
  isFull: boolean,
): AuditEvent {
  const full = isFull ? { ...refsOf(record), ...conditionsOf(record) } : {};
  return {
    eventId: 'decision',
    severityLevel: severityOf(ways, record),
    meta: { schemaVersion: SCHEMA_VERSION, ...decisionOf(record, ways), ...full },
  };
}

/** Never inputs and responses of a Rego policy. */
export function decisionOf(record: DecisionRecord, ways: Ways): JsonObject {
  const { permission, asked, user, route, failure } = record;
  return defined({
    at: timeOf(record.at),
    user: user === undefined ? undefined : cut(user, MAX_TEXT),
    permission: permission && permissionOf(fieldsOf(permission)),
    asked: asked && permissionOf(fieldsOf(asked)),
    declared: record.declared,
    result: record.result,
    route: route === undefined ? undefined : cut(route, MAX_TEXT),
    routeIndex: record.routeIndex,
    reason: cut(record.reason, MAX_REASON),
    ...flagsOf(ways),
    withoutResource: record.withoutResource,
    failure: failure && failureOf(failure),
    observed: record.observed && observedOf(record.observed),
    sources: record.sources.map(sourceOf),
  });
}

function observedOf(observed: ObservedRecord): JsonObject {
  const { answer, until, result, reason, source, failure } = observed;
  return defined({
    answer,
    until: timeOf(until),
    result,
    reason: cut(reason, MAX_REASON),
    withoutResource: observed.withoutResource,
    failure: failure && failureOf(failure),
    source: source && sourceOf(source),
  });
}

export const flagsOf = ({ failOpen, standby, bypass }: Ways): JsonObject => ({
  ...(failOpen ? { failOpen } : {}),
  ...(standby ? { standby } : {}),
  ...(bypass ? { bypass } : {}),
});

const permissionOf = ({
  name,
  type,
  action,
  resourceType,
}: PermissionFields): JsonObject => defined({ name, type, action, resourceType });

/** A failed attempt says why another one decided. */
function sourceOf(record: SourceRecord): JsonObject {
  const { source, verdict, attempts, decisionId, endpoint } = record;
  const decided = decidingAttempt(record);
  const failure = record.failure ?? attempts?.find(each => each.failure)?.failure;
  const at = decided ? decided.endpoint : endpoint;
  return defined({
    source,
    verdict,
    failure: failure && failureOf(failure),
    standby: standbyOf(record),
    endpoint: at === undefined ? undefined : cut(at, MAX_TEXT),
    decisionId: decided ? decided.decisionId : decisionId,
  });
}

const failureOf = ({ class: failureClass, code, since, cause }: Failure): JsonObject =>
  defined({
    class: failureClass,
    code: cut(code),
    since: since === undefined ? undefined : timeOf(since),
    cause: cause && cut(cause.code),
  });

function refsOf({ refs }: DecisionRecord): JsonObject {
  if (!refs) return {};
  const kept = refs.slice(0, MAX_REFS).map(ref => cut(ref, MAX_TEXT));
  const leftOut = refs.length - kept.length;
  return { refs: kept, ...(leftOut > 0 ? { refsLeftOut: leftOut } : {}) };
}

/** Those of the decision, and under observe also those that Backstage got. */
function conditionsOf(record: DecisionRecord): JsonObject {
  const { observed } = record;
  if (!observed) return boundedConditions(record);
  const given = { ...observedOf(observed), ...boundedConditions(observed) };
  return { ...boundedConditions(record), observed: given };
}

function boundedConditions(
  decision: Pick<DecisionRecord, 'conditions' | 'conditionSize'>,
): JsonObject {
  const { conditions } = decision;
  if (!conditions) return {};
  return hasTooLarge(decision) ? { conditionsLeftOut: true } : { conditions };
}

function defined(fields: Record<string, JsonValue | undefined>): JsonObject {
  const set: JsonObject = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) set[name] = value;
  }
  return set;
}
