/** Entities as the catalog has them once it has processed their files. */
import {
  parseEntityRef,
  RELATION_OWNED_BY,
  stringifyEntityRef,
  type Entity,
  type EntityRelation,
} from '@backstage/catalog-model';
import { BuiltinKindsEntityProcessor } from '@backstage/plugin-catalog-backend';
import { parseAllDocuments } from 'yaml';
import { readTextFile } from '../files';
import { CliError } from '../exit-code';

/** By entity ref in lower case. */
export type Entities = ReadonlyMap<string, Entity>;

export const refOf = (entity: Entity): string =>
  stringifyEntityRef(entity).toLocaleLowerCase('en-US');

/**
 * All entities of a file such as `catalog-info.yaml`, as they are written there.
 *
 * @throws CliError if it cannot be read, or has something else.
 */
export function readEntities(path: string): Entity[] {
  const text = readTextFile(path);
  return parseAllDocuments(text).flatMap(document => {
    const [error] = document.errors;
    if (error) throw new CliError(`${path}: ${error.message}`);
    const value: unknown = document.toJS();
    return value === null ? [] : [asEntity(value, path)];
  });
}

/**
 * @param where - what errors call it.
 * @throws CliError unless it has a kind and a name.
 */
export function asEntity(value: unknown, where: string): Entity {
  const entity = value as Partial<Entity> | null;
  if (
    typeof entity?.kind !== 'string' ||
    typeof entity.metadata?.name !== 'string' ||
    typeof entity.apiVersion !== 'string'
  ) {
    throw new CliError(`${where}: an entity needs apiVersion, kind and metadata.name`);
  }
  return entity as Entity;
}

/**
 * The entity with what the catalog adds: the default namespace, and the relations of its kind, such
 * as `ownedBy` from `spec.owner`. It has no relations to it that other entities make.
 *
 * @throws CliError if the catalog would refuse it.
 */
export async function processed(entity: Entity): Promise<Entity> {
  const whole: Entity = structuredClone(entity);
  whole.metadata.namespace ??= 'default';
  const relations: EntityRelation[] = [...(whole.relations ?? [])];
  const own = refOf(whole);
  const processor = new BuiltinKindsEntityProcessor();
  try {
    const isBuiltIn = await processor.validateEntityKind(whole);
    if (!isBuiltIn) relations.push(...ownedBy(whole));
    const location = { type: 'file', target: 'entity' };
    await processor.postProcessEntity(whole, location, emitted => {
      if (emitted.type !== 'relation') return;
      const { source, type, target } = emitted.relation;
      if (stringifyEntityRef(source) !== own) return;
      relations.push({ type, targetRef: stringifyEntityRef(target) });
    });
  } catch (error) {
    throw new CliError(`${own}: ${(error as Error).message}`);
  }
  return { ...whole, relations };
}

/** As other kinds have it, of which templates are one: their own modules add the relation. */
function ownedBy({ spec, metadata }: Entity): EntityRelation[] {
  if (typeof spec?.owner !== 'string') return [];
  const { namespace: defaultNamespace = 'default' } = metadata;
  const owner = parseEntityRef(spec.owner, { defaultKind: 'Group', defaultNamespace });
  return [{ type: RELATION_OWNED_BY, targetRef: stringifyEntityRef(owner) }];
}
