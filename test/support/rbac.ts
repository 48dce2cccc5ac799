/**
 * Closes what the RBAC plugin opens and never closes: its own databases, besides those from
 * Backstage, and watchers of its policy files. They would keep jest alive.
 */
import { createRequire } from 'node:module';
import type { Entity } from '@backstage/catalog-model';
import { DatabaseManager } from '@backstage/backend-defaults/database';
import chokidar from 'chokidar';
import TypeOrmAdapter from 'typeorm-adapter';
import { sqliteDriver } from '../../dev/database';
import type { RunningBackend } from './backend';
import { until } from './until';

/**
 * The plugin calls two functions that its library has since version 2. If an older one is
 * installed, conditional policies do not load without them.
 */
const common = createRequire(__filename)(
  '@backstage-community/plugin-rbac-common',
) as Record<string, unknown>;
common.isPermissionInfo ??= (mapping: unknown): boolean =>
  typeof mapping === 'object' && mapping !== null && 'name' in mapping;
common.permissionMappingAction ??= (mapping: string | { action: string }): string =>
  typeof mapping === 'string' ? mapping : mapping.action;

/** Starts a backend with the RBAC plugin; its `stop` ends what the plugin opened meanwhile. */
export async function endingRbac<B extends RunningBackend>(
  start: () => Promise<B>,
): Promise<B> {
  const opened = noteOpened();
  try {
    const backend = await start();
    const stop = async (): Promise<void> => {
      await backend.stop();
      await opened.end();
    };
    return { ...backend, stop };
  } catch (error) {
    await opened.end();
    throw error;
  } finally {
    opened.noteNoMore();
  }
}

function noteOpened() {
  const endings: Array<() => Promise<unknown>> = [];
  const fromConfig = DatabaseManager.fromConfig.bind(DatabaseManager);
  const databases = jest
    .spyOn(DatabaseManager, 'fromConfig')
    .mockImplementation((...args) => {
      const manager = fromConfig(...args);
      const forPlugin = manager.forPlugin.bind(manager);
      return Object.assign(manager, {
        forPlugin: (...plugin: Parameters<typeof forPlugin>) => {
          const database = forPlugin(...plugin);
          // Those that Backstage opened are closed twice, which is harmless.
          endings.push(async () => (await database.getClient()).destroy());
          return database;
        },
      });
    });
  const newAdapter = TypeOrmAdapter.newAdapter.bind(TypeOrmAdapter);
  const adapters = jest
    .spyOn(TypeOrmAdapter, 'newAdapter')
    .mockImplementation(async (options, ...rest) => {
      const ofSqlite = 'type' in options && options.type === 'better-sqlite3';
      const adapter = await newAdapter(
        ofSqlite ? { ...options, driver: sqliteDriver() } : options,
        ...rest,
      );
      endings.push(() => adapter.close());
      return adapter;
    });
  const { watch } = chokidar;
  const watchers = jest.spyOn(chokidar, 'watch').mockImplementation((...args) => {
    const watcher = watch(...args);
    endings.push(() => watcher.close());
    return watcher;
  });
  return {
    end: async (): Promise<void> => {
      await Promise.all(endings.map(each => each()));
    },
    noteNoMore(): void {
      for (const spy of [databases, adapters, watchers]) spy.mockRestore();
    },
  };
}

/**
 * Waits until a group in the catalog has members, as a user who may read it: the plugin asks the
 * catalog for them. The catalog derives them from the users and does not announce when.
 */
export async function untilGroupHasMembers(
  { url }: RunningBackend,
  token: string,
  name: string,
): Promise<void> {
  const path = `api/catalog/entities/by-name/group/default/${name}`;
  await until(async () => {
    const response = await fetch(`${url}/${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { relations = [] } = (await response.json()) as Partial<Entity>;
    return relations.some(({ type }) => type === 'hasMember');
  }, `group '${name}' had members`);
}
