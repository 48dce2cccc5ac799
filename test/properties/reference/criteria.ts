/** What condition trees mean, read off their definition. */
import type { PermissionCondition } from '@backstage/plugin-permission-common';
import type { Criteria } from '../../../src/verdict';

/** Which rules hold for the resource at hand. */
export type Assignment = ReadonlySet<string>;

export function holds(criteria: Criteria, assignment: Assignment): boolean {
  if ('allOf' in criteria) return criteria.allOf.every(each => holds(each, assignment));
  if ('anyOf' in criteria) return criteria.anyOf.some(each => holds(each, assignment));
  if ('not' in criteria) return !holds(criteria.not, assignment);
  return assignment.has(criteria.rule);
}

/** Every assignment of these rules. */
export const assignments = (rules: readonly string[]): Assignment[] =>
  Array.from(
    { length: 2 ** rules.length },
    (_, bits) => new Set(rules.filter((_rule, index) => (bits >> index) & 1)),
  );

/** Groups, negations and rules of the tree, the root included. */
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
