import type { Attempt } from '../answer';
import { escapeInvisible } from '../lib/quote';
import { fullFailureOf, givenBy, timeOf } from '../trace/facts';
import type { DecisionRecord, ObservedRecord, SourceRecord } from '../trace/record';
import { generalSentence, sentenceOf } from '../trace/sentence';
import type { MetConditions } from './applied';
import type { Explained, FinalResult, PrincipalOrigin } from './explain';

/** In characters of JSON, of what a Rego policy was asked, and of what it answered. */
const MAX_EXCHANGE = 65_536;

/** What anybody may know of their own decision. */
interface OwnAnswer {
  readonly result: Explained['result'];
  /** The label of the route, or `fallback`. */
  readonly route?: string;
  readonly sentence: string;
}

/** What operators may know of any decision. */
interface OperatorAnswer extends OwnAnswer {
  readonly user?: string;
  readonly refs: readonly string[];
  /** Whose refs these are. */
  readonly refsFrom: PrincipalOrigin;
  readonly notes: readonly string[];
  /** Set if a resource was given. */
  readonly resource?: ResourceAnswer;
  /** Set if the decision is only recorded. */
  readonly observed?: ObservedAnswer;
  readonly record: object;
}

interface ResourceAnswer {
  readonly ref: string;
  /** Set if the plugin has evaluated the conditions. */
  readonly conditions?: MetConditions;
  /** Whether the plugin knows the resource. */
  readonly exists?: boolean;
  /** Why the conditions could not be evaluated. */
  readonly problem?: string;
}

/** Under observe, the answer and the decision side by side. */
interface ObservedAnswer {
  /** The name of the source that answers. */
  readonly answer: string;
  /** When decisions begin to be enforced, in ISO 8601. */
  readonly until: string;
  /** What Backstage answers, as `result`. */
  readonly given: FinalResult;
  /** What it would answer if the decision were enforced. */
  readonly recorded: FinalResult;
  /** Of the recorded decision, if a resource was given. */
  readonly resource?: ResourceAnswer;
}

/** The answer of `POST explain`. */
export function explainAnswer(
  explained: Explained,
  isOperator: boolean,
  resource: string | undefined,
): OwnAnswer | OperatorAnswer {
  const { record, result, origin, notes } = explained;
  const route = record.route === undefined ? {} : { route: record.route };
  if (!isOperator) {
    const sentence =
      result === 'UNDETERMINED'
        ? 'What decides it could not be asked now; try again in a few seconds'
        : generalSentence(record, result);
    return { result, ...route, sentence };
  }
  const { applied, recorded } = explained;
  const { observed } = record;
  const owner = givenBy(record).pluginId;
  const first = finalSentence(applied, owner, resource);
  return {
    result,
    ...route,
    sentence: [first + sentenceOf(record), ...notes].join('; '),
    ...(record.user === undefined ? {} : { user: record.user }),
    refs: record.refs ?? [],
    refsFrom: origin,
    notes,
    ...(resource === undefined
      ? {}
      : { resource: resourceAnswer(applied, owner, resource) }),
    ...(observed && recorded
      ? {
          observed: {
            answer: observed.answer,
            until: timeOf(observed.until),
            given: result,
            recorded: recorded.result,
            ...(resource === undefined
              ? {}
              : {
                  resource: resourceAnswer(recorded.applied, record.pluginId, resource),
                }),
          },
        }
      : {}),
    record: recordAnswer(record),
  };
}

/** What came of the conditions, before the sentence that names them. */
function finalSentence(
  applied: Explained['applied'],
  pluginId: string | undefined,
  resource?: string,
): string {
  if (!applied) return '';
  const ref = escapeInvisible(resource ?? '');
  if (applied.kind === 'failed') {
    return `Plugin '${pluginId}' did not apply the conditions to ${ref} (${applied.why}). `;
  }
  if (applied.isUnknown) {
    return `DENY: plugin '${pluginId}' does not know ${ref}. `;
  }
  return applied.result === 'ALLOW'
    ? `ALLOW: ${ref} meets the conditions. `
    : `DENY: ${ref} does not meet the conditions. `;
}

function resourceAnswer(
  applied: Explained['applied'],
  pluginId: string | undefined,
  ref: string,
): ResourceAnswer {
  if (!applied) return { ref };
  return applied.kind === 'failed'
    ? {
        ref,
        problem: `plugin '${pluginId}' did not apply the conditions: ${applied.why}`,
      }
    : { ref, conditions: applied.conditions, exists: !applied.isUnknown };
}

/** The record as JSON, with times in ISO 8601. */
function recordAnswer({
  at,
  sources,
  user: _,
  refs: _refs,
  ...record
}: DecisionRecord): object {
  return {
    at: timeOf(at),
    ...record,
    ...(record.failure ? { failure: fullFailureOf(record.failure) } : {}),
    ...(record.observed ? { observed: observedAnswer(record.observed) } : {}),
    sources: sources.map(sourceAnswer),
  };
}

const observedAnswer = ({
  until,
  failure,
  source,
  ...rest
}: ObservedRecord): object => ({
  ...rest,
  until: timeOf(until),
  ...(failure ? { failure: fullFailureOf(failure) } : {}),
  ...(source ? { source: sourceAnswer(source) } : {}),
});

const sourceAnswer = ({ attempts, ...source }: SourceRecord): object => ({
  ...linkAnswer(source),
  ...(attempts ? { attempts: attempts.map(linkAnswer) } : {}),
});

function linkAnswer({
  failure,
  exchange,
  ...rest
}: Omit<SourceRecord, 'attempts'> | Attempt): object {
  return {
    ...rest,
    ...(failure ? { failure: fullFailureOf(failure) } : {}),
    ...(exchange
      ? {
          exchange: {
            input: bounded(exchange.input),
            response: bounded(exchange.response),
          },
        }
      : {}),
  };
}

function bounded(value: unknown): unknown {
  try {
    const length = JSON.stringify(value)?.length ?? 0;
    return length > MAX_EXCHANGE ? `(left out: ${length} characters of JSON)` : value;
  } catch {
    return '(left out: nested too deeply)';
  }
}
