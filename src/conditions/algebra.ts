import type { PermissionCondition } from '@backstage/plugin-permission-common';
import stringify from 'safe-stable-stringify';
import type { Conditions, Criteria } from '../verdict';

/*
 * The algebra of conditions. A result is always logically equal to the formula it was made of,
 * and in normal form: flat, without duplicates, absorbed children, double negations, or visible
 * contradictions and tautologies inside it; never empty; in the order of first appearance.
 *
 * A formula that is a tautology as a whole stays a condition: for a resource that does not exist
 * Backstage denies a condition, but would follow an ALLOW.
 */

/** The conjunction of one or more criteria; undefined if no resource can meet it. */
export const allOf = (conditions: readonly Conditions[]): Conditions | undefined =>
  toConditions(join('allOf', conditions));

/** The disjunction of one or more criteria; undefined if no resource can meet it. */
export const anyOf = (conditions: readonly Conditions[]): Conditions | undefined =>
  toConditions(join('anyOf', conditions));

/**
 * Whether both are written the same in normal form. The order of a group's children and of keys
 * does not matter.
 */
export function areSame(one: Conditions, other: Conditions): boolean {
  const [normal, otherNormal] = [allOf([one]), allOf([other])];
  if (!normal || !otherNormal) return normal === otherNormal;
  return keyOf(normal) === keyOf(otherNormal);
}

type Connective = 'allOf' | 'anyOf';

const dual = (connective: Connective): Connective =>
  connective === 'allOf' ? 'anyOf' : 'allOf';

/** True or false for every resource: a disjunction or conjunction of `of` and its negation. */
class Constant {
  constructor(
    readonly value: boolean,
    readonly of: Criteria,
  ) {}
}

/** Criteria in normal form, or a constant. */
type Normal = Criteria | Constant;

const isConstant = (normal: Normal): normal is Constant => normal instanceof Constant;

/** Results in normal form, so that a result which is joined again is not walked again. */
const results = new WeakSet<Criteria>();

/** Made of parsed nodes only, so it is parsed as well. */
function toConditions(normal: Normal): Conditions | undefined {
  if (!isConstant(normal)) {
    results.add(normal);
    return normal as Conditions;
  }
  if (!normal.value) return undefined;
  const tautology = flatten('anyOf', [normal.of, { not: normal.of }]);
  return group('anyOf', tautology) as Conditions;
}

/** The children, if the criteria are a group of this connective. */
function childrenIn(
  criteria: Criteria,
  connective: Connective,
): readonly Criteria[] | undefined {
  const children = (criteria as Partial<Record<Connective, Criteria[]>>)[connective];
  return Array.isArray(children) ? children : undefined;
}

function join(connective: Connective, criteria: readonly Criteria[]): Normal {
  // True decides an OR and is neutral in an AND; false the other way round.
  const decisive = connective === 'anyOf';
  const normals = criteria.map(normalize);
  const constants = normals.filter(isConstant);
  const others = normals.filter((normal): normal is Criteria => !isConstant(normal));
  const decided = constants.filter(({ value }) => value === decisive);
  if (decided.length > 0) return constantOf(decisive, decided);
  if (constants.length > 0 && others.length === 0) {
    return constantOf(!decisive, constants);
  }
  const children = flatten(connective, others);
  const of = complemented(connective, children);
  return of
    ? new Constant(decisive, of)
    : group(connective, absorb(connective, children));
}

const constantOf = (value: boolean, constants: readonly Constant[]): Constant =>
  new Constant(value, simplest(constants.map(({ of }) => of))!);

function normalize(criteria: Criteria): Normal {
  if (results.has(criteria)) return criteria;
  for (const connective of ['allOf', 'anyOf'] as const) {
    const children = childrenIn(criteria, connective);
    if (children) return join(connective, children);
  }
  return 'not' in criteria ? negate(normalize(criteria.not)) : criteria;
}

function negate(normal: Normal): Normal {
  if (isConstant(normal)) return new Constant(!normal.value, normal.of);
  return 'not' in normal ? normal.not : { not: normal };
}

/** The only place that builds a group, so that none is empty or has one child. */
function group(connective: Connective, children: readonly Criteria[]): Criteria {
  const [only, ...others] = children;
  if (!only) throw new Error(`an empty ${connective} has no meaning in Backstage`);
  if (others.length === 0) return only;
  return { [connective]: children } as unknown as Criteria;
}

const flatten = (connective: Connective, criteria: readonly Criteria[]): Criteria[] =>
  criteria.flatMap(child => childrenIn(child, connective) ?? [child]);

/**
 * The simplest criteria that a group of this connective contains together with their negation;
 * undefined if there are none. The criteria may be one child or spread over several children.
 */
function complemented(
  connective: Connective,
  children: readonly Criteria[],
): Criteria | undefined {
  const negated = children.flatMap(child => ('not' in child ? [child.not] : []));
  if (negated.length === 0) return undefined;
  const held = new Set(children.map(keyOf));
  return simplest(
    negated.filter(each =>
      flatten(connective, [each]).every(member => held.has(keyOf(member))),
    ),
  );
}

/** Independent of the order of the candidates; undefined if there are none. */
const simplest = (candidates: readonly Criteria[]): Criteria | undefined =>
  candidates
    .map(criteria => ({ criteria, key: keyOf(criteria) }))
    .sort(
      (one, other) =>
        one.key.length - other.key.length || (one.key < other.key ? -1 : 1),
    )
    .at(0)?.criteria;

/**
 * Drops every child that another child makes redundant: `A ∧ (A ∨ B) = A` and, dually,
 * `A ∨ (A ∧ B) = A`. With each child seen as the set of its members under the dual connective, a
 * child is redundant if it is a superset of another child. Of equal children the first stays.
 */
function absorb(connective: Connective, children: readonly Criteria[]): Criteria[] {
  const byMembers = new Map<
    string,
    { child: Criteria; members: ReadonlySet<string> }
  >();
  for (const child of children) {
    const members = membersOf(childrenIn(child, dual(connective)) ?? [child]);
    const key = members.join();
    if (!byMembers.has(key)) byMembers.set(key, { child, members: new Set(members) });
  }
  const distinct = [...byMembers.values()];
  const smaller = subsetFinder(distinct.map(({ members }) => members));
  return distinct.filter(({ members }) => !smaller(members)).map(({ child }) => child);
}

/**
 * Finds whether a set has a proper subset among these. A subset has all of its members in the set,
 * so it is looked up by its rarest member: comparing each set with each other would take longer
 * than all the rest.
 */
function subsetFinder(
  sets: ReadonlyArray<ReadonlySet<string>>,
): (set: ReadonlySet<string>) => boolean {
  const count = new Map<string, number>();
  for (const set of sets) {
    for (const member of set) count.set(member, (count.get(member) ?? 0) + 1);
  }
  const byRarest = new Map<string, Array<ReadonlySet<string>>>();
  for (const set of sets) {
    const [first, ...others] = set;
    const rarest = others.reduce(
      (least, member) => (count.get(member)! < count.get(least)! ? member : least),
      first!,
    );
    const known = byRarest.get(rarest);
    if (known) known.push(set);
    else byRarest.set(rarest, [set]);
  }
  return set =>
    set.size > 1 &&
    [...set].some(member =>
      byRarest
        .get(member)
        ?.some(other => other.size < set.size && isSubset(other, set)),
    );
}

const isSubset = (small: ReadonlySet<string>, large: ReadonlySet<string>): boolean =>
  [...small].every(member => large.has(member));

const keys = new WeakMap<Criteria, string>();

/**
 * Equal criteria have equal keys: neither the order of a parameter's keys nor the order of a
 * group's children matters. Keys can be cached because the guard has copied the criteria, so
 * nothing changes them.
 */
function keyOf(criteria: Criteria): string {
  const known = keys.get(criteria);
  if (known !== undefined) return known;
  const key = formatKey(criteria);
  keys.set(criteria, key);
  return key;
}

function formatKey(criteria: Criteria): string {
  for (const connective of ['allOf', 'anyOf'] as const) {
    const children = childrenIn(criteria, connective);
    if (children) return `${connective}[${membersOf(children).join()}]`;
  }
  if ('not' in criteria) return `not ${keyOf(criteria.not)}`;
  const { resourceType, rule, params } = criteria as PermissionCondition;
  return stringify({ resourceType, rule, params }) as string;
}

const membersOf = (children: readonly Criteria[]): string[] =>
  [...new Set(children.map(keyOf))].sort();
