import { createRequire } from 'node:module';
import { DatabaseManager } from '@backstage/backend-defaults/database';
import { coreServices, createServiceFactory } from '@backstage/backend-plugin-api';

const load = createRequire(__filename);

/**
 * better-sqlite3 12, which Backstage depends on, aborts the process on Node.js 24.19 and later
 * when a statement is garbage-collected, because Node.js changed how native objects are wrapped.
 * better-sqlite3 13 works there but crashes below Node.js 22. So the version depends on Node.js.
 */
export function sqliteDriver(): unknown {
  const [major] = process.versions.node.split('.').map(Number);
  return load(major! >= 22 ? 'better-sqlite3-13' : 'better-sqlite3');
}

const client = load('knex/lib/dialects/better-sqlite3/index.js') as {
  prototype: { _driver(): unknown };
};
client.prototype._driver = sqliteDriver;

/** The database of the sample backend. The default factory leaves its connections open. */
export const databaseClosedOnShutdown = createServiceFactory({
  service: coreServices.database,
  deps: {
    config: coreServices.rootConfig,
    plugin: coreServices.pluginMetadata,
    lifecycle: coreServices.lifecycle,
    logger: coreServices.logger,
  },
  async factory({ config, plugin, lifecycle, logger }) {
    const manager = DatabaseManager.fromConfig(config);
    const database = manager.forPlugin(plugin.getId(), { lifecycle, logger });
    lifecycle.addShutdownHook(async () => (await database.getClient()).destroy());
    return database;
  },
});
