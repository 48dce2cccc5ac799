/** The sources of a route are asked one after the other, until the result is settled. */
import { detailsOf, NEEDS_USER } from './answer';
import {
  createAccumulator,
  isTooLarge,
  routeDefault,
  type Accumulator,
} from './combining/algorithms';
import { bytesOf, excessOf } from './conditions/size';
import type { RouterConfig } from './config/types';
import type { Chain, ChainAnswer } from './guard/chain';
import type { Deadline } from './lib/deadline';
import type { Turns } from './lib/turns';
import type { PermissionRequest } from './request';
import type { ReadyRoute } from './snapshot';
import type { DecisionRecord, SourceRecord } from './trace/record';
import { within, type DecisionSpan, type SourceSpan } from './trace/spans';
import { deny, type ApplicableVerdict, type Verdict } from './verdict';

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

/** What the sources of the route say together; at once if none of them has to be waited for. */
export const askSources = (
  route: AskedRoute,
  askedFor: AskedFor,
): ApplicableVerdict | Promise<ApplicableVerdict> =>
  new Asking(route, askedFor).from(0);

/** The sources of one route, asked for one decision. */
class Asking {
  private readonly accumulator: Accumulator;
  private readonly cannotAsk: string[] = [];

  constructor(
    private readonly route: AskedRoute,
    private readonly askedFor: AskedFor,
  ) {
    const { maxConditionBytes } = askedFor.settings;
    this.accumulator = createAccumulator(route.combine, excessOf(maxConditionBytes));
  }

  /** What they say from this one on. */
  from(first: number): ApplicableVerdict | Promise<ApplicableVerdict> {
    const { legs } = this.route;
    for (let index = first; index < legs.length; index++) {
      const asked = this.ask(legs[index]!);
      if (asked) return asked.then(() => this.from(index + 1));
    }
    return this.result();
  }

  /** Undefined if there is nothing to wait for. */
  private ask(leg: AskedLeg): Promise<void> | undefined {
    const { request, deadline, record, by, span } = this.askedFor;
    const isFirstUnknown =
      this.route.combine === 'first-applicable' && this.cannotAsk.length > 0;
    if (this.accumulator.settled || isFirstUnknown) {
      record.sources.push({ source: leg.name, verdict: 'NOT_ASKED' });
      return undefined;
    }
    const started = performance.now();
    const sourceSpan = span?.source();
    const asked = within(sourceSpan, () => leg[by].ask(request, deadline));
    return asked instanceof Promise
      ? asked.then(answer => this.take(leg, answer, started, sourceSpan))
      : this.take(leg, asked, started, sourceSpan);
  }

  private take(
    leg: AskedLeg,
    answer: ChainAnswer,
    started: number,
    span: SourceSpan | undefined,
  ): Promise<void> | undefined {
    const { answers, by } = this.askedFor;
    answers?.set(leg.name, answer);
    const isUnknown = by === 'aside' && isUncertain(answer);
    if (isUnknown) this.cannotAsk.push(leg.name);
    const added = isUnknown ? undefined : this.add(answer.verdict);
    const end = (): void => {
      const sourceRecord = recordOf(leg, answer, performance.now() - started);
      this.askedFor.record.sources.push(sourceRecord);
      span?.end(sourceRecord);
    };
    if (added) return added.then(end);
    end();
    return undefined;
  }

  private add(verdict: Verdict): Promise<void> | undefined {
    const { accumulator } = this;
    if (verdict.kind !== 'CONDITIONAL' || this.route.legs.length === 1) {
      accumulator.add(verdict);
      return undefined;
    }
    // Joining holds the event loop too.
    const { turns, request } = this.askedFor;
    const added = turns.run(request.principal, () => accumulator.add(verdict));
    return added instanceof Promise ? added : undefined;
  }

  private result(): ApplicableVerdict {
    const { accumulator, cannotAsk } = this;
    const { record, settings } = this.askedFor;
    if (cannotAsk.length > 0 && !accumulator.settled) record.cannotAsk = cannotAsk;
    const combined = accumulator.result() ?? routeDefault(this.route.default);
    if (isTooLarge(combined)) return denyTooLarge(combined.reason, record);
    if (combined.kind === 'CONDITIONAL') {
      const bytes = bytesOf(combined.conditions);
      record.conditionSize = { bytes, limit: settings.maxConditionBytes };
    }
    return combined;
  }
}

function recordOf(
  { name }: AskedLeg,
  answer: ChainAnswer,
  milliseconds: number,
): SourceRecord {
  const { verdict, endpoint, attempts } = answer;
  return {
    source: name,
    verdict: verdict.kind,
    reason: verdict.reason,
    conditions: verdict.kind === 'CONDITIONAL' ? verdict.conditions : undefined,
    bypass: verdict.kind === 'ALLOW' ? verdict.bypass : undefined,
    failure: 'failure' in verdict ? verdict.failure : undefined,
    milliseconds,
    ...detailsOf(answer),
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
