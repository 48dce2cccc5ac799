/** What condition trees mean, implemented from their definition. */
import type { PermissionCondition } from '@backstage/plugin-permission-common';
import type { Conditions, Criteria } from '../../../src/verdict';

/** Which facts are true of the resource at hand. */
export type Assignment = ReadonlySet<string>;

/** The fact that a rule with these parameters checks, independent of the order of their keys. */
export function factOf({ rule, params }: PermissionCondition): string {
  const { x, y } = (params ?? {}) as { x?: unknown; y?: unknown };
  return `${rule} x=${JSON.stringify(x)} y=${JSON.stringify(y)}`;
}

export function holds(criteria: Criteria, assignment: Assignment): boolean {
  if ('allOf' in criteria) return criteria.allOf.every(each => holds(each, assignment));
  if ('anyOf' in criteria) return criteria.anyOf.some(each => holds(each, assignment));
  if ('not' in criteria) return !holds(criteria.not, assignment);
  return assignment.has(factOf(criteria));
}

/** Every assignment of the facts that these rules check. */
export function assignments(rules: readonly Criteria[]): Assignment[] {
  const facts = [...new Set(rules.filter(isRule).map(factOf))];
  return Array.from(
    { length: 2 ** facts.length },
    (_, bits) => new Set(facts.filter((_fact, index) => (bits >> index) & 1)),
  );
}

/** An equivalent formula: groups are reversed and each child is negated twice. */
export const rewritten = (criteria: Criteria): Conditions =>
  rewrite(criteria) as Conditions;

function rewrite(criteria: Criteria): Criteria {
  const twice = (each: Criteria): Criteria => ({ not: { not: rewrite(each) } });
  const reversed = childrenOf(criteria).map(twice).reverse();
  if ('allOf' in criteria) return { allOf: reversed } as unknown as Criteria;
  if ('anyOf' in criteria) return { anyOf: reversed } as unknown as Criteria;
  if ('not' in criteria) return { not: rewrite(criteria.not) };
  return criteria;
}

/** Groups, negations and rules of the tree, including the root. */
export function nodesOf(criteria: Criteria): Criteria[] {
  return [criteria, ...childrenOf(criteria).flatMap(nodesOf)];
}

export function childrenOf(criteria: Criteria): Criteria[] {
  if ('allOf' in criteria) return criteria.allOf;
  if ('anyOf' in criteria) return criteria.anyOf;
  if ('not' in criteria) return [criteria.not];
  return [];
}

export const isRule = (criteria: Criteria): criteria is PermissionCondition =>
  'rule' in criteria;
