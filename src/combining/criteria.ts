import stringify from 'safe-stable-stringify';
import type { Criteria } from '../verdict';

/*
 * The algebra of conditions. Results are flattened, free of duplicates and of what another
 * child absorbs, never empty, and always logically equal to the formula. A tautology is never
 * folded to ALLOW: Backstage denies a resource that does not exist, and that must stay.
 */

/** The conjunction of one or more criteria. */
export const allOf = (criteria: readonly Criteria[]): Criteria =>
  join('allOf', criteria);

/** The disjunction of one or more criteria. */
export const anyOf = (criteria: readonly Criteria[]): Criteria =>
  join('anyOf', criteria);

type Connective = 'allOf' | 'anyOf';

const dual = (connective: Connective): Connective =>
  connective === 'allOf' ? 'anyOf' : 'allOf';

/** The children of a group of this connective; undefined for anything else. */
export function childrenOf(
  criteria: Criteria,
  connective: Connective,
): readonly Criteria[] | undefined {
  const children = (criteria as Partial<Record<Connective, Criteria[]>>)[connective];
  return Array.isArray(children) ? children : undefined;
}

function join(connective: Connective, criteria: readonly Criteria[]): Criteria {
  const children = absorb(connective, flatten(connective, criteria.map(simplify)));
  const [only, ...others] = children;
  if (!only) throw new Error(`an empty ${connective} has no meaning in Backstage`);
  if (others.length === 0) return only;
  return { [connective]: children } as unknown as Criteria;
}

function simplify(criteria: Criteria): Criteria {
  for (const connective of ['allOf', 'anyOf'] as const) {
    const children = childrenOf(criteria, connective);
    if (children) return join(connective, children);
  }
  if ('not' in criteria) return { not: simplify(criteria.not) };
  return criteria;
}

const flatten = (connective: Connective, criteria: readonly Criteria[]): Criteria[] =>
  criteria.flatMap(child => childrenOf(child, connective) ?? [child]);

/**
 * Drops every child that another child makes redundant: `A ∧ (A ∨ B) = A` and, dually,
 * `A ∨ (A ∧ B) = A`. Seen as sets of the dual connective's members, a child is redundant when
 * it contains another child whole; of equal children the first stays.
 */
function absorb(connective: Connective, children: readonly Criteria[]): Criteria[] {
  const byMembers = new Map<
    string,
    { child: Criteria; members: ReadonlySet<string> }
  >();
  for (const child of children) {
    const keys = (childrenOf(child, dual(connective)) ?? [child]).map(keyOf);
    const members = new Set([...keys].sort());
    const key = JSON.stringify([...members]);
    if (!byMembers.has(key)) byMembers.set(key, { child, members });
  }
  const distinct = [...byMembers.values()];
  const groups = distinct.filter(({ members }) => members.size > 1);
  const singles = new Set(
    distinct.flatMap(({ members }) => (members.size === 1 ? [...members] : [])),
  );
  const isAbsorbed = (members: ReadonlySet<string>): boolean =>
    members.size > 1 &&
    ([...members].some(member => singles.has(member)) ||
      groups.some(
        other => other.members.size < members.size && isSubset(other.members, members),
      ));
  return distinct
    .filter(({ members }) => !isAbsorbed(members))
    .map(({ child }) => child);
}

const isSubset = (small: ReadonlySet<string>, large: ReadonlySet<string>): boolean =>
  [...small].every(member => large.has(member));

/** Equal conditions have equal keys: parameters are compared by value, not by key order. */
const keyOf = (criteria: Criteria): string => stringify(criteria) ?? 'undefined';
