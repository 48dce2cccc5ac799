/** What can be read from a record of a decision; shared by those who show it. */
import type { Permission } from '@backstage/plugin-permission-common';
import type { Attempt } from '../answer';
import { resourceTypeOf } from '../request';
import type { Conditions, Failure } from '../verdict';
import type { DecisionRecord, ObservedRecord, SourceRecord } from './record';

/** Larger conditions, as JSON, are neither kept nor audited. */
const MAX_CONDITION_BYTES = 8192;

/** A permission without the nesting that only its action has. */
export interface PermissionFields {
  readonly name: string;
  readonly type: Permission['type'];
  readonly action: string | undefined;
  readonly resourceType: string | undefined;
}

export const fieldsOf = (permission: Readonly<Permission>): PermissionFields => ({
  name: permission.name,
  type: permission.type,
  action: permission.attributes.action,
  resourceType: resourceTypeOf(permission),
});

/** For people: in UTC. */
export const timeOf = (milliseconds: number): string =>
  new Date(milliseconds).toISOString();

/** The end of observe as it is written: midnight is a day. */
export const dayOf = (milliseconds: number): string =>
  timeOf(milliseconds).replace('T00:00:00.000Z', '').replace('.000Z', 'Z');

/** A failure as answers have it. */
export const failureOf = ({ class: failureClass, code, since }: Failure) => ({
  class: failureClass,
  code,
  since: since === undefined ? undefined : timeOf(since),
});

/** The same with what may quote a decision. */
export const fullFailureOf = (failure: Failure) => ({
  ...failureOf(failure),
  message: failure.message,
  cause: failure.cause,
});

export interface Outage {
  /** Undefined if it is not a source that failed: there is no identity, or was no turn. */
  readonly source: string | undefined;
  readonly failure: Failure;
}

interface Failures {
  readonly failure: Failure | undefined;
  readonly sources: ReadonlyArray<
    Pick<SourceRecord, 'source' | 'failure' | 'attempts'>
  >;
}

/** What Backstage got: under observe that is not what was decided. */
export const givenBy = <R extends Pick<DecisionRecord, 'observed'>>(
  record: R,
): R | NonNullable<R['observed']> => record.observed ?? record;

/** Every source that was asked: those of the route, and the one that answers under observe. */
export const askedIn = ({
  sources,
  observed,
}: Pick<DecisionRecord, 'sources' | 'observed'>): readonly SourceRecord[] =>
  observed?.source ? [...sources, observed.source] : sources;

/** The first failure of a decision because something was unavailable or overloaded. */
export function outageOf({ failure, sources }: Failures): Outage | undefined {
  if (isOutage(failure)) return { source: undefined, failure };
  for (const { source, failure: left, attempts = [] } of sources) {
    const tried = attempts.find(attempt => isOutage(attempt.failure));
    if (tried) return { source: tried.source, failure: tried.failure! };
    if (isOutage(left)) return { source, failure: left };
  }
  return undefined;
}

/** The same of the decision, or of what was given in its place. */
export const anyOutageOf = ({
  failure,
  sources,
  observed,
}: Failures & Pick<Partial<DecisionRecord>, 'observed'>): Outage | undefined =>
  outageOf({ failure, sources }) ??
  (observed &&
    outageOf({
      failure: observed.failure,
      sources: observed.source ? [observed.source] : [],
    }));

/**
 * DENY because a source said so, not because something was unavailable or overloaded: what was
 * decided, or what was given in its place.
 */
export const isOwnDenial = ({
  result,
  failure,
  sources,
  observed,
}: Pick<DecisionRecord, 'result' | 'failure' | 'sources' | 'observed'>): boolean =>
  (result === 'DENY' && !isOutage(failure) && !sources.some(deniesByOutage)) ||
  (observed?.result === 'DENY' &&
    !isOutage(observed.failure) &&
    !(observed.source && deniesByOutage(observed.source)));

const deniesByOutage = (source: SourceRecord): boolean =>
  source.verdict === 'DENY' && isOutage(source.failure);

const isOutage = (failure: Failure | undefined): failure is Failure =>
  failure !== undefined && failure.class !== 'invalid';

/** The attempt that decided, if there were several. */
export const decidingAttempt = ({
  failure,
  attempts,
}: Pick<SourceRecord, 'failure' | 'attempts'>): Attempt | undefined =>
  failure ? undefined : attempts?.at(-1);

/** The standby that decided in place of the source. */
export const standbyOf = (
  record: Pick<SourceRecord, 'failure' | 'attempts'>,
): string | undefined => {
  const decided = decidingAttempt(record);
  return decided?.standby ? decided.source : undefined;
};

/** The failure that the result rests on: of the router, else the first that became a verdict. */
export const decidingFailure = (
  record: Readonly<DecisionRecord>,
): Failure | undefined =>
  record.failure ??
  record.sources.find(
    ({ failure, verdict }) =>
      failure && (verdict === record.result || record.result === 'CONDITIONAL'),
  )?.failure;

/** The failure that what was given rests on. */
export const answeringFailure = ({
  result,
  failure,
  source,
}: ObservedRecord): Failure | undefined =>
  failure ?? (source?.verdict === result ? source.failure : undefined);

/** Whether a failure counts as ALLOW. */
export const isFailOpen = ({ verdict, failure }: SourceRecord): boolean =>
  verdict === 'ALLOW' && failure !== undefined;

/** Whether the conditions that Backstage got are too large. */
export const hasTooLarge = ({
  conditions,
  conditionSize,
}: Pick<DecisionRecord, 'conditions' | 'conditionSize'>): boolean =>
  conditions !== undefined &&
  (conditionSize ? conditionSize.bytes > MAX_CONDITION_BYTES : isTooLarge(conditions));

/** Stops counting at the limit. A group in a group is one level; there are at most some hundred. */
export const isTooLarge = (conditions: Conditions): boolean =>
  rest(conditions, MAX_CONDITION_BYTES) < 0;

/** What is left of so many bytes after the JSON of a value; below zero if it is too large. */
function rest(value: unknown, bytes: number): number {
  if (typeof value === 'string') return bytes - Buffer.byteLength(value) - 2;
  if (typeof value !== 'object' || value === null) return bytes - 4;
  let left = bytes - 2;
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    left = rest(member, left - 1 - (Array.isArray(value) ? 0 : key.length + 3));
    if (left < 0) break;
  }
  return left;
}
