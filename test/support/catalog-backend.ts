import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entity } from '@backstage/catalog-model';
import {
  createBackendModule,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import { stringify } from 'yaml';
import { startBackend, temporaryFolder, type RunningBackend } from './backend';
import { until } from './until';

export interface CatalogBackendOptions {
  readonly entities: readonly Entity[];
  /** The value of `backend.database`. */
  readonly database: object;
  /** The value of `permission.policyRouter.sources`. */
  readonly sources: object;
  /** Further values of `permission.policyRouter`. */
  readonly config?: object;
  /** Further app-config files. */
  readonly configFiles?: readonly string[];
  /** Further plugins and modules. */
  readonly features?: readonly BackendFeature[];
}

export interface CatalogBackend extends RunningBackend {
  /** Takes a route for everything of the catalog into use, by a hot reload. */
  use(route: object): Promise<void>;
  /** Takes a whole routing table into use, by a hot reload. */
  useTable(table: object): Promise<void>;
}

/** A backend whose catalog has exactly these entities; at first everybody may read them. */
export async function startCatalogBackend(
  options: CatalogBackendOptions,
): Promise<CatalogBackend> {
  const folder = await temporaryFolder();
  const routingFile = join(folder, 'routing.yaml');
  const tableOf = (route: object): object => ({
    fallback: 'deny',
    routes: [{ prefix: 'catalog', ...route }],
  });
  const writeTable = (table: object): Promise<void> =>
    writeFile(routingFile, stringify(table));
  await writeTable(tableOf({ sources: ['allow'] }));
  const backend = await startBackend({
    policyRouter: { routingFile, sources: options.sources, ...options.config },
    config: {
      backend: { database: options.database },
      // After ingestion nothing changes.
      catalog: { processingInterval: { hours: 1 } },
    },
    configFiles: options.configFiles ?? [],
    features: [providing(options.entities), ...(options.features ?? [])],
  });
  const useTable = async (table: object): Promise<void> => {
    const since = backend.logs.lines.length;
    await writeTable(table);
    await backend.logs.waitFor('The changed config is in use', since);
  };
  return {
    ...backend,
    useTable,
    use: route => useTable(tableOf(route)),
    async stop() {
      await backend.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The location that the entities claim to come from, which the catalog requires. */
const LOCATION = {
  'backstage.io/managed-by-location': 'generated:catalog',
  'backstage.io/managed-by-origin-location': 'generated:catalog',
};

const providing = (entities: readonly Entity[]): BackendFeature =>
  createBackendModule({
    pluginId: 'catalog',
    moduleId: 'generated-entities',
    register(registration) {
      registration.registerInit({
        deps: { catalog: catalogProcessingExtensionPoint },
        async init({ catalog }) {
          catalog.addEntityProvider({
            getProviderName: () => 'generated',
            connect: connection =>
              connection.applyMutation({
                type: 'full',
                entities: entities.map(entity => {
                  const annotations = { ...entity.metadata.annotations, ...LOCATION };
                  const metadata = { ...entity.metadata, annotations };
                  return { entity: { ...entity, metadata }, locationKey: 'generated' };
                }),
              }),
          });
        },
      });
    },
  });

/** Waits until as many entities as were given are there, for one who may see all; gives them. */
export async function ingested(
  { url }: RunningBackend,
  token: string,
  count: number,
): Promise<Entity[]> {
  let entities: Entity[] = [];
  await until(async () => {
    const response = await fetch(`${url}/api/catalog/entities`, {
      headers: { authorization: `Bearer ${token}` },
    });
    entities = (await response.json()) as Entity[];
    return entities.length === count;
  }, `all ${count} entities were ingested`);
  return entities;
}
