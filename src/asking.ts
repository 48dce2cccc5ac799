/** The sources of a route are asked one after the other, until the result is settled. */
import { detailsOf, NEEDS_USER } from './answer';
import { createAccumulator, isTooLarge, routeDefault } from './combining/algorithms';
import { bytesOf, excessOf } from './conditions/size';
import type { RouterConfig } from './config/types';
import type { Chain, ChainAnswer } from './guard/chain';
import type { Deadline } from './lib/deadline';
import type { Turns } from './lib/turns';
import type { PermissionRequest } from './request';
import type { ReadyRoute } from './snapshot';
import type { DecisionRecord, SourceRecord } from './trace/record';
import { within, type DecisionSpan } from './trace/spans';
import { deny, type ApplicableVerdict } from './verdict';

/** A source of a route, as far as it is asked. */
export type AskedLeg = { readonly name: string } & Readonly<
  Record<'chain' | 'aside', Pick<Chain, 'ask'>>
>;

export interface AskedRoute extends Pick<ReadyRoute, 'combine' | 'default'> {
  readonly legs: readonly AskedLeg[];
}

export interface AskedFor {
  readonly request: PermissionRequest;
  readonly deadline: Deadline;
  /** Gets what each source said. */
  readonly record: DecisionRecord;
  readonly settings: Pick<RouterConfig, 'maxConditionBytes'>;
  readonly turns: Turns;
  /** `chain` for a decision, `aside` to explain one. */
  readonly by: 'chain' | 'aside';
  /** Set if somebody records the decision. */
  readonly span?: DecisionSpan | undefined;
  /** Set if the decision is combined again later: gets the answers, by source. */
  readonly answers?: Map<string, ChainAnswer> | undefined;
}

/** What the sources of the route say together. */
export async function askSources(
  route: AskedRoute,
  { request, deadline, record, settings, turns, by, span, answers }: AskedFor,
): Promise<ApplicableVerdict> {
  const { maxConditionBytes } = settings;
  const accumulator = createAccumulator(route.combine, excessOf(maxConditionBytes));
  const cannotAsk: string[] = [];
  for (const leg of route.legs) {
    const isFirstUnknown = route.combine === 'first-applicable' && cannotAsk.length > 0;
    if (accumulator.settled || isFirstUnknown) {
      record.sources.push({ source: leg.name, verdict: 'NOT_ASKED' });
      continue;
    }
    const started = performance.now();
    const sourceSpan = span?.source();
    const asked = within(sourceSpan, () => leg[by].ask(request, deadline));
    const answer = asked instanceof Promise ? await asked : asked;
    answers?.set(leg.name, answer);
    const { verdict } = answer;
    if (by === 'aside' && isUncertain(answer)) {
      cannotAsk.push(leg.name);
    } else if (verdict.kind === 'CONDITIONAL' && route.legs.length > 1) {
      // Joining holds the event loop too.
      await turns.run(request.principal, () => accumulator.add(verdict));
    } else {
      accumulator.add(verdict);
    }
    const sourceRecord = recordOf(leg, answer, performance.now() - started);
    record.sources.push(sourceRecord);
    sourceSpan?.end(sourceRecord);
  }
  if (cannotAsk.length > 0 && !accumulator.settled) record.cannotAsk = cannotAsk;
  const combined = accumulator.result() ?? routeDefault(route.default);
  if (isTooLarge(combined)) return denyTooLarge(combined.reason, record);
  if (combined.kind === 'CONDITIONAL') {
    const bytes = bytesOf(combined.conditions);
    record.conditionSize = { bytes, limit: maxConditionBytes };
  }
  return combined;
}

function recordOf(
  { name }: AskedLeg,
  { verdict, endpoint, attempts, ...details }: ChainAnswer,
  milliseconds: number,
): SourceRecord {
  return {
    source: name,
    verdict: verdict.kind,
    reason: verdict.reason,
    conditions: verdict.kind === 'CONDITIONAL' ? verdict.conditions : undefined,
    bypass: verdict.kind === 'ALLOW' ? verdict.bypass : undefined,
    failure: 'failure' in verdict ? verdict.failure : undefined,
    milliseconds,
    ...detailsOf(details),
    endpoint,
    attempts,
  };
}

/** Of questions beside the decisions: they could not be put, and a decision might be. */
const NOT_PUT = new Set([
  NEEDS_USER,
  'HUNG',
  'QUEUE_FULL',
  'NO_TIME_LEFT',
  'CUT_SHORT',
]);

/** Whether the source, or a standby that would decide in its place, could not be asked. */
export const isUncertain = ({ verdict, attempts = [] }: ChainAnswer): boolean =>
  ('failure' in verdict && NOT_PUT.has(verdict.failure?.code ?? '')) ||
  attempts.some(({ failure }) => NOT_PUT.has(failure?.code ?? ''));

/** The conditions of each source are within the limits; combined they are not. */
function denyTooLarge(excess: string, record: DecisionRecord): ApplicableVerdict {
  const message = `the sources of ${record.route} together give ${excess}`;
  record.failure = { class: 'invalid', code: 'CONDITIONS_TOO_LARGE', message };
  return deny(message);
}
