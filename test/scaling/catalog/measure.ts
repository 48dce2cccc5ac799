/** What conditions cost in the lists of a real catalog on PostgreSQL, by its number of entities. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { knex } from 'knex';
import { stringify } from 'yaml';
import { temporaryFolder } from '../../support/backend';
import {
  startCatalogBackend,
  type CatalogBackend,
} from '../../support/catalog-backend';
import { startPostgres } from '../../support/postgres';
import { entityName, fillCatalog, groupRef, PRIVATE } from './fill';

const ROUNDS = 5;
/** A request that took so long is not repeated, in milliseconds. */
const SLOW = 10_000;

const rule = (name: string, params: object): object => ({ rule: name, params });
/** Every seventh group, so that the entities are spread over the catalog. */
const ownedBy = (groups: number): object =>
  rule('IS_ENTITY_OWNER', {
    claims: Array.from({ length: groups }, (_, index) => groupRef(index * 7)),
  });
const notPrivate = { not: rule('HAS_LABEL', PRIVATE) };

/** What decides `catalog.entity.read`. */
const DECISIONS: Readonly<Record<string, object | 'allow'>> = {
  ALLOW: 'allow',
  'owned by 10 groups': ownedBy(10),
  'owned by 100 groups': ownedBy(100),
  'not private': notPrivate,
  'not private, or owned by 10 groups': { anyOf: [notPrivate, ownedBy(10)] },
};

/** The requests of the catalog's page and of an entity's page. */
const PAGE =
  'entities/by-query?filter=kind=component&limit=20&orderField=metadata.name,asc';
const REQUESTS: Readonly<Record<string, string>> = {
  'a page and the total': PAGE,
  'a page': `${PAGE}&totalItems=exclude`,
  'one entity': `entities/by-name/component/default/${entityName(0)}`,
};

export interface Cell {
  readonly entities: number;
  readonly decision: string;
  readonly request: string;
  /** The median, in milliseconds. */
  readonly milliseconds: number;
}

const sourceName = (index: number): string => `decision-${index}`;

/**
 * @param sizes - numbers of entities, ascending.
 * @param onProgress - gets a line now and then.
 */
export async function measureCatalog(
  sizes: readonly number[],
  onProgress: (line: string) => void,
): Promise<Cell[]> {
  const folder = await temporaryFolder();
  const ends: Array<() => unknown> = [() => rm(folder, { recursive: true })];
  try {
    const postgres = await startPostgres();
    ends.push(() => postgres.stop());
    const backend = await startBackend(postgres.config, folder);
    ends.push(() => backend.stop());
    const { connection, prefix } = postgres.config as {
      connection: object;
      prefix: string;
    };
    const database = knex({
      client: 'pg',
      connection: { ...connection, database: `${prefix}catalog` },
      pool: { min: 0, max: 1 },
    });
    ends.push(() => database.destroy());
    const token = await backend.signIn('olivia');
    const cells: Cell[] = [];
    let filled = 0;
    for (const entities of sizes) {
      onProgress(`${entities} entities: filling the catalog`);
      await fillCatalog(database, filled, entities);
      filled = entities;
      onProgress(`${entities} entities: measuring`);
      for (const cell of await measureSize(backend, token)) {
        cells.push({ entities, ...cell });
      }
    }
    return cells;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function startBackend(database: object, folder: string): Promise<CatalogBackend> {
  const keep = join(folder, 'keep.yaml');
  // Otherwise it removes what no location has brought.
  await writeFile(keep, stringify({ catalog: { orphanStrategy: 'keep' } }));
  return startCatalogBackend({
    entities: [
      {
        apiVersion: 'backstage.io/v1alpha1',
        kind: 'User',
        metadata: { name: 'olivia' },
        spec: { memberOf: [] },
      },
    ],
    database,
    configFiles: [keep],
    sources: Object.fromEntries(
      Object.values(DECISIONS).flatMap((conditions, index) =>
        conditions === 'allow'
          ? []
          : [
              [
                sourceName(index),
                {
                  type: 'conditions',
                  rules: [
                    {
                      resourceTypes: ['catalog-entity'],
                      pluginId: 'catalog',
                      conditions,
                    },
                  ],
                },
              ],
            ],
      ),
    ),
  });
}

async function measureSize(
  backend: CatalogBackend,
  token: string,
): Promise<Array<Omit<Cell, 'entities'>>> {
  const times = new Map<string, number[]>();
  const keyOf = (decision: string, request: string): string =>
    `${decision} | ${request}`;
  // At first everybody may read everything.
  let inUse = 0;
  // Every round has all of them, so that other work on the machine affects all alike. The first one
  // fills the caches.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, [decision, conditions]] of Object.entries(DECISIONS).entries()) {
      // A table that is written again is no change.
      if (index !== inUse) {
        await backend.use({
          sources: [conditions === 'allow' ? 'allow' : sourceName(index)],
        });
        inUse = index;
      }
      for (const [request, path] of Object.entries(REQUESTS)) {
        const key = keyOf(decision, request);
        const before = times.get(key) ?? [];
        if (before.some(each => each > SLOW)) continue;
        const took = await timeOf(`${backend.url}/api/catalog/${path}`, token);
        if (round > 0 || took > SLOW) times.set(key, [...before, took]);
      }
    }
  }
  await backend.use({ sources: ['allow'] });
  return Object.keys(DECISIONS).flatMap(decision =>
    Object.keys(REQUESTS).map(request => ({
      decision,
      request,
      milliseconds: median(times.get(keyOf(decision, request))!),
    })),
  );
}

async function timeOf(url: string, token: string): Promise<number> {
  const began = performance.now();
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const text = await response.text();
  // An entity that one may not read is not found.
  if (![200, 404].includes(response.status) || text === '') {
    throw new Error(`${url} answered HTTP ${response.status}: ${text}`);
  }
  return performance.now() - began;
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)]!;
