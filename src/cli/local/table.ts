/** The routing table of a config that is read without starting anything. */
import { resolve } from 'node:path';
import { isJsonObject } from '../../lib/json-object';
import { TABLE_KEYS } from '../../config/merge-routing-file';
import { readTextFile } from '../files';

/**
 * The config with the table of a file in place of its own.
 *
 * @param policyRouter - the value at `permission.policyRouter`, valid or not.
 * @param table - the path of a routing file, relative to the working directory.
 * @throws CliError if it cannot be read.
 */
export function withTable(policyRouter: unknown, table: string | undefined): unknown {
  if (table === undefined || !isJsonObject(policyRouter)) return policyRouter;
  // Here, where the option can be named: as a routingFile it would be an error of app-config.
  readTextFile(table);
  const rest: Record<string, unknown> = { ...policyRouter };
  for (const key of TABLE_KEYS) delete rest[key];
  return { ...rest, routingFile: resolve(table) };
}

/** The type of each source, by name; as far as they are written. */
export function sourceTypes(policyRouter: unknown): Map<string, string> {
  const sources = isJsonObject(policyRouter) ? policyRouter.sources : undefined;
  if (!isJsonObject(sources)) return new Map();
  return new Map(
    Object.entries(sources).flatMap(([name, source]) =>
      isJsonObject(source) && typeof source.type === 'string'
        ? [[name, source.type] as const]
        : [],
    ),
  );
}
