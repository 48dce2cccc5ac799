/**
 * One sentence on a decision: what was decided, by which route, by which source, and why. Made
 * from the record only when somebody reads it.
 */
import { nameOf, NEEDS_USER, problemOf, type LinkName } from '../answer';
import { CONTRADICTION } from '../combining/algorithms';
import { inWords } from '../conditions/words';
import { cut, someOf } from '../lib/bounded';
import { escapeInvisible } from '../lib/quote';
import type { Failure } from '../verdict';
import { dayOf, givenBy } from './facts';
import type { DecisionRecord, ObservedRecord, SourceRecord } from './record';

/** In characters. */
const MAX_SENTENCE = 2000;
/** A Rego policy has 500 of them; the rest says who it was. */
const MAX_REASON = 700;
const MAX_CONDITIONS = 500;

type Recorded = Readonly<DecisionRecord>;

/** For operators: it names sources, refs and conditions. At most 2,000 characters. */
export function sentenceOf(record: Recorded): string {
  const why = reasonsOf(record).join('; ');
  const decided = `${record.result} ${decidedBy(record)}${doubtOf(record)}: ${why}`;
  const { observed } = record;
  const sentence = observed
    ? `${answered(observed, record)}; enforced it would be ${decided}`
    : decided;
  return cut(escapeInvisible(sentence), MAX_SENTENCE);
}

/** `OBSERVED until 2027-01-31: 'allow' answers ALLOW` */
function answered(observed: ObservedRecord, { at }: Recorded): string {
  const { answer, until, result, reason, failure, conditions, source } = observed;
  const where = conditions ? [`where ${inWords(conditions, MAX_CONDITIONS)}`] : [];
  const why = failure
    ? [problemOf(failure)]
    : source && source.reason !== `the source '${answer}'`
      ? clausesOf([source], { at })
      : [];
  // Of an abstention, or of conditions without a resource, the source alone does not say it.
  const also =
    failure || !source || source.reason === reason ? [] : [cut(reason, MAX_REASON)];
  const explained = [...where, ...also, ...why].join('; ');
  const shown = explained === '' ? '' : ` (${explained})`;
  return `OBSERVED until ${dayOf(until)}: '${answer}' answers ${result}${doubtOf(observed)}${shown}`;
}

/**
 * For callers who are no operators: result and route, and nothing of why.
 *
 * @param result - if a plugin has applied the conditions: what came of it.
 */
export function generalSentence(
  record: Recorded,
  result = givenBy(record).result,
): string {
  const { route } = record;
  const what = {
    ALLOW: 'Allowed',
    DENY: 'Denied',
    CONDITIONAL: 'Allowed for some resources',
  }[result];
  if (route === undefined) return `${what}, before a route was looked for`;
  const by = route === 'fallback' ? 'the fallback' : `the route ${route}`;
  if (record.observed) {
    return escapeInvisible(
      `${what}. The decisions of ${by} are not enforced yet; another source answers`,
    );
  }
  return escapeInvisible(
    `${what} by ${by}${route === 'fallback' ? ': no route matches' : ''}`,
  );
}

function decidedBy({ route }: Recorded): string {
  if (route === undefined) return 'before a route was looked for';
  return route === 'fallback' ? 'by the fallback' : `by ${route}`;
}

function doubtOf({ cannotAsk }: Pick<Recorded, 'cannotAsk'>): string {
  if (!cannotAsk) return '';
  const names = someOf(cannotAsk.map(source => `'${source}'`));
  return `, which is not certain, as ${names} could not be asked for this explanation`;
}

function reasonsOf(record: Recorded): string[] {
  if (record.failure) return [problemOf(record.failure), ...conditionsOf(record)];
  if (record.route === undefined) {
    return record.permission
      ? [record.reason]
      : [`the request is invalid: ${record.reason}`];
  }
  if (record.route === 'fallback') {
    return ['no route matches', ...nearestTo(record), ...oddQuestion(record)];
  }
  return reasonsOfSources(record);
}

const nearestTo = ({ nearest = [] }: Recorded): string[] =>
  nearest.length > 0 ? [`nearest: ${nearest.join(', ')}`] : [];

/** The likely cause where no route and no source decides a question. */
function oddQuestion({ declared, permission }: Recorded): string[] {
  switch (declared) {
    case 'none':
      return ['no plugin that could be read declares the permission'];
    case 'several':
      return [
        'several plugins declare the permission, so it was decided as it was asked',
      ];
    case 'differs':
      return [
        'its plugin declares the permission differently; it was decided as it was asked',
      ];
    case 'unread':
      return permission?.type === 'basic' && permission.attributes.action === undefined
        ? ['it was asked by name only, and what its plugin declares has not been read']
        : [];
    case 'completed':
    case undefined:
      return [];
  }
}

function reasonsOfSources(record: Recorded): string[] {
  const { cannotAsk = [] } = record;
  const asked = record.sources.filter(
    source => isAsked(source) && !cannotAsk.includes(source.source),
  );
  const decisive = asked.filter(({ verdict }) => verdict === record.result);
  const clauses = clausesOf(decisive, record);
  if (asked.every(({ verdict }) => verdict === 'NOT_APPLICABLE')) {
    return [record.reason, ...clausesOf(asked, record), ...oddQuestion(record)];
  }
  // What an outage opened or closed has a part in what else is conditional.
  const failed = asked.filter(
    ({ failure, verdict }) => failure && verdict !== record.result,
  );
  if (record.withoutResource) {
    return [record.reason, ...conditionsOf(record), ...clausesOf(failed, record)];
  }
  if (record.conditions) {
    const words = inWords(record.conditions, MAX_CONDITIONS);
    return [`allowed where ${words}`, ...clauses, ...clausesOf(failed, record)];
  }
  const isSaidByOne = decisive.some(({ reason }) => reason === record.reason);
  return isSaidByOne
    ? clauses
    : [...clauses, ...conditionsOf(record), reasonOfAll(record.reason)];
}

/** What only the user in person can ask is recorded with that as its failure. */
const isAsked = ({ verdict, failure, attempts = [] }: SourceRecord): boolean =>
  verdict !== 'NOT_ASKED' &&
  ![failure, ...attempts.map(attempt => attempt.failure)].some(
    each => each?.code === NEEDS_USER,
  );

/** Of conditions that contradict each other it repeats what each source says. */
const reasonOfAll = (reason: string): string =>
  reason.endsWith(CONTRADICTION) ? CONTRADICTION : reason;

/** What each source makes it depend on, where the decision itself has no conditions. */
const conditionsOf = ({ sources }: Recorded): string[] =>
  sources.flatMap(({ source, conditions }) =>
    conditions ? [`'${source}' allows where ${inWords(conditions)}`] : [],
  );

const clausesOf = (
  sources: readonly SourceRecord[],
  { at }: Pick<Recorded, 'at'>,
): string[] =>
  sources.map(source =>
    source.failure
      ? failureClause(source, source.failure, at)
      : answerClause(source, at),
  );

function answerClause(source: SourceRecord, at: number): string {
  const { reason = '', attempts } = source;
  const shown = cut(reason, MAX_REASON);
  const name = nameOf(linkOf(source));
  if (!attempts && source.bypass) return `${shown}, said by ${name}`;
  if (!attempts) return shown === `the source ${name}` ? shown : `${name}: ${shown}`;
  // The reason ends with the failure of the first link: "…, as 'opa' is unavailable".
  const [first, ...others] = attempts;
  const why = first?.failure ? withTime(first.failure, at) : '';
  const further = others.flatMap(({ failure, ...link }) =>
    failure ? [failed(link, failure, at)] : [],
  );
  return [`${name}: ${shown}${why}`, ...further].join('; ');
}

/** Who failed, since when and why, and who or what decided in its place. */
function failureClause(source: SourceRecord, failure: Failure, at: number): string {
  const [first = linkOf(source), ...others] = source.attempts ?? [];
  return [
    failed(first, failure, at),
    ...others.map(attempt =>
      attempt.failure
        ? failed(attempt, attempt.failure, at)
        : `${nameOf(attempt)} abstains`,
    ),
    consequence(source, failure),
    ...(hasNoStandby(source, failure) ? ['no standby'] : []),
  ].join('; ');
}

function consequence({ verdict, attempts = [] }: SourceRecord, first: Failure): string {
  if (verdict === 'ALLOW') return 'fail-open';
  const failures = [first, ...attempts.flatMap(({ failure }) => failure ?? [])];
  const other = failures.find(each => each.class !== 'unavailable');
  switch (other?.class) {
    case 'overloaded':
      return 'an overload always counts as DENY';
    case 'invalid':
      return 'an invalid answer always counts as DENY';
    case 'unavailable':
    case undefined:
      return 'fail-closed';
  }
}

/** All links of the chain were asked, unless one of them gave an invalid answer. */
function hasNoStandby({ attempts }: SourceRecord, failure: Failure): boolean {
  const last = attempts?.at(-1)?.failure ?? failure;
  return last.class !== 'invalid' && !attempts?.some(({ standby }) => standby);
}

/** `'opa' is unavailable since 12:04:31 UTC: no answer within 500 ms (TIMEOUT)` */
const failed = (link: LinkName, failure: Failure, at: number): string =>
  `${nameOf(link)} is ${failure.class}${withTime(failure, at)}`;

const withTime = (failure: Failure, at: number): string =>
  `${failure.since === undefined ? '' : ` since ${timeOf(failure.since, at)}`}: ${problemOf(failure)}`;

/** With its day, if that is another one than the decision's. */
function timeOf(time: number, at: number): string {
  const [day, clock] = new Date(time).toISOString().slice(0, 19).split('T');
  const [today] = new Date(at).toISOString().split('T');
  return day === today ? `${clock} UTC` : `${day} ${clock} UTC`;
}

const linkOf = ({ source, endpoint }: SourceRecord): LinkName => ({
  source,
  endpoint,
  standby: false,
});
