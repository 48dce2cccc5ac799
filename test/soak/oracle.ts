/**
 * The possible results of a decision, computed from the state of the world while it was made
 * and not from the code under test: a second, slow and small implementation of docs/faults.md.
 */
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { Criteria } from '../../src/verdict';
import {
  BYPASS,
  said,
  SOURCES,
  stampedClaims,
  TABLES,
  type Asked,
  type Person,
  type SourceModel,
  type TableName,
  type Version,
} from './world';

/** The possible states of an OPA while the decision was made. */
export interface OpaStates {
  readonly versions: ReadonlySet<Version>;
  /** Whether it may have been down, or have seemed so because this process was too busy. */
  readonly down: boolean;
  /** Whether it may really have been down. Nothing else opens a fail-open route. */
  readonly outage: boolean;
}

export interface Circumstances {
  readonly person: Person;
  readonly asked: Asked;
  readonly tables: Iterable<TableName>;
  readonly opas: Readonly<Record<'main' | 'second', OpaStates>>;
  /** Whether a question may have been refused for lack of room or time, which denies or asks a standby. */
  readonly overloaded: boolean;
}

/** `ALLOW`, `DENY`, or `CONDITIONAL` with the claims of all its conditions, in one order. */
export type Outcome = string;
const ABSTAINS = 'NOT_APPLICABLE';

const conditional = (...claimLists: ReadonlyArray<readonly string[]>): Outcome =>
  `CONDITIONAL ${[...new Set(claimLists.map(list => list.join(',')))].sort().join(' & ')}`;

/** Every possible result of the decision. */
export function allowedOutcomes(circumstances: Circumstances): Set<Outcome> {
  const outcomes = new Set<Outcome>();
  for (const name of circumstances.tables) {
    const { fallback, routes } = TABLES[name];
    const route = routes[circumstances.asked.prefix];
    if (!route) {
      outcomes.add(fallback.toUpperCase());
      continue;
    }
    let combined: Outcome[][] = [[]];
    for (const source of route.sources) {
      const model = SOURCES[source]!;
      const verdicts = verdictsOf(model, route.failClosed ?? false, circumstances);
      // After a DENY no further source is asked.
      combined = combined.flatMap(before =>
        before.includes('DENY')
          ? [before]
          : [...verdicts].map(verdict => [...before, verdict]),
      );
    }
    for (const verdicts of combined) outcomes.add(denyOverrides(verdicts));
  }
  return outcomes;
}

function denyOverrides(verdicts: readonly Outcome[]): Outcome {
  const applicable = verdicts.filter(verdict => verdict !== ABSTAINS);
  if (applicable.length === 0 || applicable.includes('DENY')) return 'DENY';
  const conditions = applicable.filter(verdict => verdict !== 'ALLOW');
  if (conditions.length === 0) return 'ALLOW';
  return conditional(
    ...conditions.flatMap(each =>
      each
        .slice('CONDITIONAL '.length)
        .split(' & ')
        .map(list => list.split(',')),
    ),
  );
}

function verdictsOf(
  model: SourceModel,
  failClosed: boolean,
  circumstances: Circumstances,
): Set<Outcome> {
  const { person, asked } = circumstances;
  switch (model.kind) {
    case 'allow':
      return new Set(['ALLOW']);
    case 'deny':
      return new Set(['DENY']);
    case 'ownership':
      if (!asked.isResource) return new Set([ABSTAINS]);
      if (person.claims.includes(BYPASS)) return new Set(['ALLOW']);
      return new Set([applicable(person, () => conditional(person.claims))]);
    case 'opa':
      return opaVerdicts(model, failClosed, circumstances);
  }
}

/** Asks one endpoint after the other, then the standby, then applies the failure mode. */
function opaVerdicts(
  { endpoints = [], failOpen = false, standby = false }: SourceModel,
  failClosed: boolean,
  circumstances: Circumstances,
): Set<Outcome> {
  const { person, asked, overloaded } = circumstances;
  const verdicts = new Set<Outcome>();
  let allOut = true;
  for (const endpoint of endpoints) {
    const { versions, down, outage } = circumstances.opas[endpoint];
    for (const version of versions) {
      verdicts.add(verdictOf(version, person, asked));
    }
    if (!outage) allOut = false;
    if (!down && !overloaded) return verdicts;
  }
  if (standby) {
    const verdict = verdictOf('embedded', person, asked);
    if (verdict !== ABSTAINS) return verdicts.add(verdict);
  }
  if (failOpen && !failClosed) {
    if (overloaded || !allOut) verdicts.add('DENY');
    return allOut ? verdicts.add('ALLOW') : verdicts;
  }
  return verdicts.add('DENY');
}

function verdictOf(version: Version, person: Person, asked: Asked): Outcome {
  const answer = said(version, person, asked);
  if (answer === 'INVALID') return 'DENY';
  return answer === 'CONDITIONAL'
    ? applicable(person, () => conditional(stampedClaims(version, person, asked)))
    : answer;
}

/** Conditions with very many claims are too large, so they are denied. */
const applicable = ({ isCrowded }: Person, outcome: () => Outcome): Outcome =>
  isCrowded ? 'DENY' : outcome();

/** A decision of the router in the words of the oracle. */
export function outcomeOf(decision: PolicyDecision): Outcome {
  if (decision.result !== 'CONDITIONAL') return decision.result;
  return conditional(...claimsOf(decision.conditions));
}

function claimsOf(criteria: Criteria): string[][] {
  if ('allOf' in criteria) return criteria.allOf.flatMap(claimsOf);
  if ('anyOf' in criteria && criteria.anyOf.length === 1) {
    return claimsOf(criteria.anyOf[0]);
  }
  if ('rule' in criteria && criteria.rule === 'IS_ENTITY_OWNER') {
    return [(criteria.params as { claims: string[] }).claims];
  }
  throw new Error(`unexpected conditions: ${JSON.stringify(criteria)}`);
}
