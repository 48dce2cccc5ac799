/** What the plugins of a backend declare: their permissions, and where known their rules. */
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import type { Permission } from '@backstage/plugin-permission-common';
import { z } from 'zod';
import { readTextFile } from '../files';
import { CliError } from '../exit-code';

/** As a plugin publishes it at `/.well-known/backstage/permissions/metadata`. */
export interface PluginMetadataBody {
  readonly permissions: readonly Permission[];
  /** Absent if they are not known here. */
  readonly rules?: readonly unknown[];
}

/** By plugin id. */
export type Metadata = ReadonlyMap<string, PluginMetadataBody>;

/** Without a file of a backend, the permissions of the installed catalog are known. */
export const CATALOG_ONLY: Metadata = new Map([
  ['catalog', { permissions: catalogPermissions }],
]);

/** What the plugins of a backend declare, as a file keeps it. */
export interface MetadataFile {
  readonly metadata: Metadata;
  /** Ids of plugins that could not be read when the file was written. */
  readonly unread: readonly string[];
}

const file = z.object({
  plugins: z.record(
    z.string(),
    z.object({
      permissions: z.array(z.custom<Permission>(value => typeof value === 'object')),
      rules: z.array(z.unknown()).optional(),
    }),
  ),
  unread: z.array(z.string()).optional(),
});

/** The text of a file that `readMetadata` reads again. */
export const metadataText = ({ metadata, unread }: MetadataFile): string =>
  `${JSON.stringify(
    {
      plugins: Object.fromEntries(metadata),
      ...(unread.length > 0 ? { unread } : {}),
    },
    null,
    2,
  )}\n`;

/**
 * Reads what `policy-router coverage --backend … --save metadata.json` has written.
 *
 * @throws CliError if it cannot be read.
 */
export const readMetadata = (path: string): Metadata => readMetadataFile(path).metadata;

/**
 * The same, with what is missing.
 *
 * @throws CliError if it cannot be read.
 */
export function readMetadataFile(path: string): MetadataFile {
  try {
    const { plugins, unread = [] } = file.parse(JSON.parse(readTextFile(path)));
    const metadata = new Map(
      Object.entries(plugins).map(([id, { permissions, rules }]) => [
        id,
        { permissions, ...(rules ? { rules } : {}) },
      ]),
    );
    return { metadata, unread };
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      `${path} is not the file that 'policy-router coverage --backend <url> --save ${path}' writes`,
    );
  }
}
