/** Decisions as a backend records them, made without one. */
import type { Permission } from '@backstage/plugin-permission-common';
import { LocalRouter } from '../../src/cli/local/local-router';
import type { StandIns } from '../../src/cli/local/stand-ins';
import type { Principal } from '../../src/request';
import { decisionEvent, waysOf } from '../../src/trace/audit-event';
import type { DecisionRecord } from '../../src/trace/record';

export interface AskedQuestion {
  readonly permission: Permission;
  /** Undefined for a request without a user. */
  readonly user: Principal | undefined;
}

/** The record of each question, as this config decides it. */
export async function decideAll(
  policyRouter: object,
  questions: readonly AskedQuestion[],
  standIns: StandIns = new Map(),
): Promise<DecisionRecord[]> {
  const router = await LocalRouter.open({ policyRouter, standIns });
  const records: DecisionRecord[] = [];
  for (const { permission, user } of questions) {
    records.push((await router.decide(permission, user)).record);
  }
  router.close();
  return records;
}

/** The line that Backstage's auditor logs of a decision in production. */
export const auditLine = (
  record: DecisionRecord,
  mode: 'all' | 'denials' = 'all',
): string => {
  const { eventId, severityLevel, meta } = decisionEvent(
    record,
    waysOf(record),
    mode === 'all',
  );
  return JSON.stringify({
    isAuditEvent: true,
    plugin: 'permission',
    eventId,
    severityLevel,
    actor: { actorId: 'plugin:permission' },
    meta,
    status: 'succeeded',
    level: 'info',
    message: `permission.${eventId}`,
  });
};

/** What a line about a decision under observe has; without `given` it was enforced. */
export interface ObservedLine {
  readonly result: DecisionRecord['result'];
  readonly given?: DecisionRecord['result'];
  readonly user?: string;
  /** The name of a permission. */
  readonly permission?: string;
  readonly route?: string;
  readonly at?: string;
  readonly deniedBy?: string;
  readonly conditions?: object;
  readonly givenConditions?: object;
}

/** The line of the log, as docs/audit.md describes it. */
export function observedLine({
  result,
  given,
  user = 'user:default/nolan',
  permission = 'a.b',
  route = "'*'",
  at = '2027-01-31T12:00:00.000Z',
  deniedBy,
  conditions,
  givenConditions,
}: ObservedLine): string {
  const observed = given && {
    answer: 'allow',
    until: '2027-02-28T00:00:00.000Z',
    result: given,
    reason: "the source 'allow'",
    source: { source: 'allow', verdict: given },
    conditions: givenConditions,
  };
  return JSON.stringify({
    isAuditEvent: true,
    plugin: 'permission',
    eventId: 'decision',
    severityLevel: 'medium',
    meta: {
      schemaVersion: 1,
      at,
      user,
      permission: { name: permission, type: 'basic', action: 'delete' },
      result,
      route,
      routeIndex: 0,
      reason: 'said by the policy',
      observed,
      sources: deniedBy === undefined ? [] : [{ source: deniedBy, verdict: 'DENY' }],
      conditions,
    },
    status: 'succeeded',
  });
}
