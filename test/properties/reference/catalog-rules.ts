/**
 * What the catalog's permission rules mean, implemented from their documentation and not from
 * the catalog's code. Keys and values are compared case-insensitively.
 *
 * The catalog (plugin-catalog-backend 4.0.0) is not always consistent. These are the known
 * cases, which generated input avoids:
 *
 * - IS_ENTITY_OWNER with the claim `Group:Default/Payments`: lists ignore the
 *   case and show what group:default/payments owns; single checks compare it and deny.
 * - HAS_ANNOTATION with a value longer than 200 characters, or for an annotation whose path
 *   `metadata.annotations.<name>` is longer: single checks find it; the lists' index does not.
 * - HAS_ANNOTATION and HAS_LABEL while an entity has an annotation or a label with the name
 *   `hasOwnProperty`: a single check of it is HTTP 500 for the whole batch; lists work.
 * - A check of `Component:default/Ledger` is DENY for every condition; only
 *   `component:default/ledger` is found, whatever the list shows.
 * - A value with a NUL character: PostgreSQL refuses it, so lists fail; single checks deny.
 */
import type { Entity } from '@backstage/catalog-model';
import type { PermissionCondition } from '@backstage/plugin-permission-common';
import type { Criteria } from '../../../src/verdict';

interface Params {
  readonly annotation: string;
  readonly label: string;
  readonly key: string;
  readonly value?: string;
  readonly kinds: readonly string[];
  readonly claims: readonly string[];
}

/** Whether the entity meets the criteria. */
export function meets(criteria: Criteria, entity: Entity): boolean {
  if ('allOf' in criteria) return criteria.allOf.every(each => meets(each, entity));
  if ('anyOf' in criteria) return criteria.anyOf.some(each => meets(each, entity));
  if ('not' in criteria) return !meets(criteria.not, entity);
  return meetsRule(criteria, entity);
}

function meetsRule({ rule, params }: PermissionCondition, entity: Entity): boolean {
  const { annotation, label, key, value, kinds, claims } = params as unknown as Params;
  const { metadata, spec, kind } = entity;
  switch (rule) {
    case 'HAS_ANNOTATION':
      return hasEntry(metadata.annotations, annotation, value);
    case 'HAS_LABEL':
      return hasEntry(metadata.labels, label, value);
    case 'HAS_METADATA':
      return hasProperty({ namespace: 'default', ...metadata }, key, value);
    case 'HAS_SPEC':
      return hasProperty(spec, key, value);
    case 'IS_ENTITY_KIND':
      return kinds.some(each => same(each, kind));
    case 'IS_ENTITY_OWNER':
      return ownersOf(entity).some(each => claims.includes(each));
    default:
      throw new Error(`the catalog has no rule '${rule}'`);
  }
}

const same = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase();

const hasEntry = (
  entries: Readonly<Record<string, string>> | undefined,
  name: string,
  value: string | undefined,
): boolean =>
  Object.entries(entries ?? {}).some(
    ([key, text]) => same(key, name) && (value === undefined || same(text, value)),
  );

const hasProperty = (
  document: unknown,
  key: string,
  value: string | undefined,
): boolean =>
  valuesAt(document, key.toLowerCase()).some(
    found => value === undefined || (isComparable(found) && same(String(found), value)),
  );

type Primitive = string | number | boolean | null;

/** Null and values too long for the catalog's index exist but equal nothing. */
const isComparable = (value: Primitive): boolean =>
  value !== null && String(value).length <= 200;

/**
 * The primitive values at a dotted path. Names may contain dots themselves. Arrays are
 * transparent, and a string in one is also a property of that name, with the value `true`.
 */
function valuesAt(node: unknown, path: string): Primitive[] {
  if (Array.isArray(node)) {
    return node.flatMap(item => [
      ...valuesAt(item, path),
      ...(typeof item === 'string' && same(item, path) ? [true] : []),
    ]);
  }
  if (typeof node === 'object' && node !== null) {
    return Object.entries(node).flatMap(([name, child]) => {
      if (same(name, path)) return valuesAt(child, '');
      const below = `${name.toLowerCase()}.`;
      return path.startsWith(below) ? valuesAt(child, path.slice(below.length)) : [];
    });
  }
  return path === '' ? [node as Primitive] : [];
}

/**
 * The entity's `ownedBy` relation: `spec.owner`, by default a group of the same namespace, in
 * lower case like all references in relations.
 */
export function ownersOf({ metadata, spec }: Entity): string[] {
  const owner = spec?.owner;
  if (typeof owner !== 'string') return [];
  const [, kind = 'group', namespace = metadata.namespace ?? 'default', name] =
    /^(?:([^:/]+):)?(?:([^:/]+)\/)?([^:/]+)$/.exec(owner) ?? [];
  return [`${kind}:${namespace}/${name}`.toLowerCase()];
}

/** The entity's reference in lower case. */
export const refOf = ({ kind, metadata }: Pick<Entity, 'kind' | 'metadata'>): string =>
  `${kind}:${metadata.namespace ?? 'default'}/${metadata.name}`.toLowerCase();
