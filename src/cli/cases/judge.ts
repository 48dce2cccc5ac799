/** Whether a decision is the expected one. Pure. */
import { allOf } from '../../conditions/algebra';
import { inWords } from '../../conditions/words';
import { canonical } from '../../lib/canonical';
import { closest } from '../../lib/closest';
import type { Applied } from '../../operations/applied';
import { resourceTypeOf } from '../../request';
import { fillIn, missingValue } from '../../sources/conditions/template';
import { ownershipRefs } from '../../sources/ownership-refs';
import type { DecisionRecord } from '../../trace/record';
import type { Conditions, Criteria } from '../../verdict';
import { permissionName, type Question } from './questions';
import type { Answered } from './routers';
import type { ExpectedConditions } from './schema';

/** The decision, for the entity if one is named; undefined if nothing here can know it. */
export type Result = DecisionRecord['result'] | undefined;

export interface Judged {
  readonly result: Result;
  /** Why the case fails; empty if it passes. */
  readonly problems: readonly string[];
}

/** What the table has. */
export interface TableFacts {
  /** Of all routes. */
  readonly labels: readonly string[];
  /** The type of each source, by name. */
  readonly types: ReadonlyMap<string, string>;
}

export const FALLBACK = 'fallback';

/**
 * @param applied - what the conditions are for the entity, if that has been evaluated in detail.
 * @returns undefined if it must be evaluated in detail.
 */
export function judge(
  question: Question,
  answered: Pick<Answered, 'record' | 'missing' | 'unavailable' | 'isMet'>,
  applied: Applied | undefined,
  facts: TableFacts,
): Judged | undefined {
  const { record, isMet } = answered;
  // Their answers, and so the decision, are made up.
  const unknown = [...missingStandIns(answered, facts), ...outages(answered)];
  if (unknown.length > 0) return { result: undefined, problems: unknown };
  if (question.entity !== undefined && typeOf(record) === 'basic') {
    const problem = `entity must be left out: ${permissionName(question.asked)} is not about a resource`;
    return { result: undefined, problems: [problem] };
  }
  if (applied?.kind === 'failed') {
    const problem =
      `the conditions of plugin '${record.pluginId}' cannot be applied here (${applied.why}); ` +
      'leave out entity and expect CONDITIONAL';
    return { result: undefined, problems: [problem] };
  }
  const isOpen = record.result === 'CONDITIONAL' && question.entity !== undefined;
  if (isOpen && !applied && isMet === undefined) return undefined;
  const result = applied?.result ?? (isOpen ? ofEntity(isMet!) : record.result);
  const { expect, route, conditions } = question.expected;
  return {
    result,
    problems: [
      ...(result === expect ? [] : [otherResult(expect, result)]),
      ...(route === undefined ? [] : otherRoute(route, record.route, facts)),
      ...(conditions && record.conditions && result === 'CONDITIONAL'
        ? otherConditions(conditions, question, record)
        : []),
    ],
  };
}

/** As it was asked; Backstage accepts no resource for a basic permission. */
const typeOf = ({ asked, permission }: Readonly<DecisionRecord>): string | undefined =>
  (asked ?? permission)?.type;

const ofEntity = (isMet: boolean): 'ALLOW' | 'DENY' => (isMet ? 'ALLOW' : 'DENY');

function missingStandIns(
  { missing }: Pick<Answered, 'missing'>,
  { types }: TableFacts,
): string[] {
  return missing.map(name => {
    const type = types.get(name) ?? '';
    const orElse =
      type === 'opa' ? '; or name an OPA with --opa <url> or --policies <path>' : '';
    return (
      `source '${name}' of type '${type}' cannot be asked here, and nothing is said in its place. ` +
      `Under standIns, of the file or of this case, write what it should say, such as '${name}: deny'${orElse}`
    );
  });
}

/** A source that is down though the case does not say so: a decision that rests on it proves nothing. */
function outages({
  record,
  unavailable,
}: Pick<Answered, 'record' | 'unavailable'>): string[] {
  return record.sources.flatMap(({ source, failure, attempts }) => {
    const tried = attempts ?? (failure ? [{ source, failure }] : []);
    return tried.flatMap(attempt =>
      attempt.failure &&
      attempt.failure.class !== 'invalid' &&
      !unavailable.has(attempt.source)
        ? [
            `source '${attempt.source}' could not be asked: ${attempt.failure.message} [${attempt.failure.code}]`,
          ]
        : [],
    );
  });
}

function otherResult(expected: string, result: string): string {
  const hint =
    result === 'CONDITIONAL'
      ? ': it depends on the entity; name one with entity, or expect CONDITIONAL'
      : '';
  return `expected ${expected}, got ${result}${hint}`;
}

function otherRoute(
  expected: string,
  route: string | undefined,
  { labels }: TableFacts,
): string[] {
  if (expected === route) return [];
  const got = route === undefined ? 'a decision before routing' : nameOfRoute(route);
  const isKnown = expected === FALLBACK || labels.includes(expected);
  const likely = isKnown ? undefined : closest(expected, labels);
  const hint = isKnown
    ? ''
    : `. No route has this label${likely === undefined ? '' : `; did you mean ${likely}?`}`;
  return [`expected ${nameOfRoute(expected)}, got ${got}${hint}`];
}

const nameOfRoute = (label: string): string =>
  label === FALLBACK ? 'the fallback' : `the route ${label}`;

function otherConditions(
  { template }: ExpectedConditions,
  { user }: Question,
  record: Readonly<DecisionRecord>,
): string[] {
  const refs = { ownershipEntityRefs: user.ownershipRefs };
  const values = { user: user.ref, ownershipRefs: ownershipRefs(refs) };
  const missing = missingValue(template, values);
  if (missing !== undefined) return [`the expected conditions cannot be: ${missing}`];
  const resourceType = resourceTypeOf(record.permission!) ?? '';
  const expected = fillIn(template, resourceType, values);
  return sameConditions(expected, record.conditions!)
    ? []
    : [
        `expected the conditions ${inWords(expected)}, got ${inWords(record.conditions!)}`,
      ];
}

/** Whether they are equal once they are simplified, in any order. */
const sameConditions = (one: Conditions, other: Conditions): boolean =>
  inOrder(allOf([one])) === inOrder(allOf([other]));

function inOrder(node: Criteria | undefined): string {
  if (node === undefined) return 'never';
  if ('allOf' in node) return `all(${node.allOf.map(inOrder).sort().join()})`;
  if ('anyOf' in node) return `any(${node.anyOf.map(inOrder).sort().join()})`;
  if ('not' in node) return `not(${inOrder(node.not)})`;
  return canonical({ params: {}, ...node });
}
