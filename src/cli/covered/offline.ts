/** What decides the permissions that plugins declare, without a backend. */
import { readConfig } from '../../config/read';
import { readRoutingFile } from '../../config/routing-file';
import { routingFilePath } from '../../config/merge-routing-file';
import type { Route } from '../../config/types';
import type { DeclaredState } from '../../declared/declared-permissions';
import { permissionsIn } from '../../declared/declaration';
import { coverageOf, type Coverage } from '../../operations/coverage';
import { RoutingTable } from '../../routing/table';
import type { MetadataFile } from '../local/metadata';
import { localConfig, StandInPolicies } from '../local/stand-ins';

/**
 * As `GET coverage` answers. No source is set up, and nobody is asked.
 *
 * @param policyRouter - the value at `permission.policyRouter`.
 * @throws ConfigError with every problem of the config.
 */
export async function coverageOffline(
  policyRouter: unknown,
  file: MetadataFile,
): Promise<Coverage> {
  // Without an OPA its sources would need stand-ins, too.
  const { hosted } = localConfig(policyRouter, { url: 'unix:/unused' });
  const path = routingFilePath(policyRouter);
  const { config } = await readConfig(
    policyRouter,
    path === undefined ? undefined : { path, content: await readRoutingFile(path) },
    new StandInPolicies(hosted, new Map()),
  );
  const table = new RoutingTable<Route>();
  for (const route of config.routes) table.add(route);
  return coverageOf({ declared: stateOf(file), table, config });
}

function stateOf({ metadata, unread }: MetadataFile): DeclaredState {
  const read = [...metadata].map(([pluginId, { permissions }]) => ({
    pluginId,
    state: 'read' as const,
    permissions: permissionsIn({ permissions }),
  }));
  const missing = unread.map(pluginId => ({
    pluginId,
    state: 'unread' as const,
    permissions: [],
  }));
  const plugins = [...read, ...missing].sort((one, other) =>
    one.pluginId < other.pluginId ? -1 : 1,
  );
  return { plugins, isListed: true, isSettled: true };
}
