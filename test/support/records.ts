/** Records of decisions, as the stages leave them. */
import type { Attempt } from '../../src/answer';
import {
  newRecord,
  type DecisionRecord,
  type ObservedRecord,
  type SourceRecord,
} from '../../src/trace/record';
import type { Failure, FailureClass } from '../../src/verdict';
import { permission } from '../fixtures/builders';

/** When they are made. */
export const AT = Date.parse('2027-01-31T12:04:31.000Z');

export const failure = (
  failureClass: FailureClass,
  code: string,
  more: Partial<Failure> = {},
): Failure => ({ class: failureClass, code, message: 'why', ...more });

export const refused = failure('unavailable', 'ECONNREFUSED', { since: AT });

/** A decision of one route; DENY unless told otherwise. */
export const recordOf = (fields: Partial<DecisionRecord> = {}): DecisionRecord => ({
  ...newRecord(),
  at: AT,
  permission: permission('catalog.entity.delete', {
    action: 'delete',
    resourceType: 'catalog-entity',
  }),
  user: 'user:default/olivia',
  refs: ['user:default/olivia', 'group:default/payments'],
  route: "'catalog'",
  routeIndex: 2,
  sources: [sourceOf()],
  result: 'DENY',
  reason: 'why',
  milliseconds: 1,
  ...fields,
});

/** `team` allows until a month later, unless told otherwise. */
export const observedOf = (fields: Partial<ObservedRecord> = {}): ObservedRecord => ({
  answer: 'team',
  until: Date.parse('2027-02-28'),
  result: 'ALLOW',
  reason: 'why not',
  source: sourceOf({ source: 'team', verdict: 'ALLOW', reason: 'why not' }),
  failure: undefined,
  cannotAsk: undefined,
  pluginId: undefined,
  conditions: undefined,
  withoutResource: undefined,
  conditionSize: undefined,
  ...fields,
});

export const sourceOf = (fields: Partial<SourceRecord> = {}): SourceRecord => ({
  source: 'opa',
  verdict: 'DENY',
  reason: 'why',
  milliseconds: 1,
  ...fields,
});

export const attemptOf = (fields: Partial<Attempt> = {}): Attempt => ({
  source: 'opa',
  standby: false,
  verdict: fields.failure ? 'FAILED' : 'ALLOW',
  milliseconds: 1,
  ...fields,
});

/** OPA was refused, and this link decided in its place. */
export const insteadOfOpa = (fields: Partial<Attempt>): SourceRecord =>
  sourceOf({
    verdict: 'ALLOW',
    attempts: [attemptOf({ failure: refused }), attemptOf(fields)],
  });
