import type { Knex } from 'knex';

/** How many entities each group owns. */
export const OWNED = 50;
/** Every tenth entity has this label; the others have another value. */
export const PRIVATE = { label: 'visibility', value: 'private' };

export const groupRef = (index: number): string => `group:default/team-${index}`;
export const entityName = (index: number): string => `entity-${index}`;

/** Of five entities three are components, one is an API, and one a resource. */
const KINDS =
  "(array['Component', 'Component', 'Component', 'API', 'Resource'])[i % 5 + 1]";

/** Numbered entities; a uuid as the catalog has it, which is in no order. */
const ENTITIES = `
  select i, md5('entity ' || i)::uuid::text as id, ${KINDS} as kind,
    lower(${KINDS}) || ':default/entity-' || i as ref,
    'group:default/team-' || i / ${OWNED} as owner,
    case when i % 10 = 0 then 'private' else 'internal' end as visibility
  from generate_series(?::int, ?::int - 1) i`;

/** About 1 kB each. */
const ENTITY_JSON = `json_build_object(
  'apiVersion', 'backstage.io/v1alpha1', 'kind', kind,
  'metadata', json_build_object('name', 'entity-' || i, 'namespace', 'default', 'uid', id,
    'description', repeat('lorem ipsum ', 40), 'tags', json_build_array('java', 'payments'),
    'labels', json_build_object('visibility', visibility)),
  'spec', json_build_object('type', 'service', 'lifecycle', 'production', 'owner', owner),
  'relations', json_build_array(json_build_object('type', 'ownedBy', 'targetRef', owner)))`;

/** What the catalog would put into its index, 14 rows per entity. */
const SEARCH_ROWS = `(values ('kind', kind), ('apiversion', 'backstage.io/v1alpha1'),
  ('metadata.name', 'entity-' || i), ('metadata.namespace', 'default'), ('metadata.uid', id),
  ('metadata.labels.visibility', visibility),
  ('metadata.tags', 'java'), ('metadata.tags', 'payments'),
  ('metadata.annotations.backstage.io/managed-by-location', 'generated:catalog'),
  ('metadata.annotations.backstage.io/managed-by-origin-location', 'generated:catalog'),
  ('spec.type', 'service'), ('spec.lifecycle', 'production'), ('spec.owner', owner),
  ('relations.ownedby', owner)) rows(key, value)`;

/**
 * Puts the entities `from` to `to` into the tables of a catalog of plugin-catalog-backend 4.0.0, as if
 * it had processed them. Its indexes are dropped meanwhile, and then made as they were.
 */
export async function fillCatalog(
  database: Knex,
  from: number,
  to: number,
): Promise<void> {
  await database.transaction(async trx => {
    // No triggers: foreign keys are right by construction.
    await trx.raw("set local session_replication_role = 'replica'");
    await trx.raw("set local maintenance_work_mem = '1GB'");
    await trx.raw(`create temp table one on commit drop as ${ENTITIES}`, [from, to]);
    await trx.raw(`
      insert into refresh_state (entity_id, entity_ref, unprocessed_entity, processed_entity, errors,
        next_update_at, last_discovery_at, location_key)
      select id, ref, '{}', '{}', '[]', 'infinity', now(), 'filled' from one`);
    await trx.raw(`
      insert into final_entities (entity_id, hash, final_entity, last_updated_at, entity_ref)
      select id, md5(ref), ${ENTITY_JSON}::text, now(), ref from one`);
    const { rows: indexes } = await trx.raw<{
      rows: Array<{ indexname: string; indexdef: string }>;
    }>("select indexname, indexdef from pg_indexes where tablename = 'search'");
    for (const { indexname } of indexes) await trx.raw('drop index ??', [indexname]);
    await trx.raw(`
      insert into search (entity_id, key, value, original_value)
      select id, key, lower(value), value from one, lateral ${SEARCH_ROWS}`);
    for (const { indexdef } of indexes) await trx.raw(indexdef);
  });
  for (const table of ['refresh_state', 'final_entities', 'search']) {
    await database.raw('vacuum analyze ??', [table]);
  }
}
