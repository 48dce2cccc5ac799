/** What the plugins of a running backend declare, for later use without it. */
import type { Permission } from '@backstage/plugin-permission-common';
import type { Coverage } from '../../operations/coverage';
import { CliError } from '../exit-code';
import type { Backend } from '../backend';
import type { MetadataFile, PluginMetadataBody } from '../local/metadata';
import { permissionOf } from '../permission';

export interface DeclaredByBackend {
  readonly file: MetadataFile;
  /** Plugins whose rules are not known, and why. */
  readonly withoutRules: ReadonlyArray<{
    readonly plugin: string;
    readonly why: string;
  }>;
}

/** @param coverage - all of it, as the backend answers. */
export async function declaredBy(
  backend: Pick<Backend, 'metadataOf'>,
  { permissions, unknownPlugins }: Coverage,
): Promise<DeclaredByBackend> {
  const byPlugin = new Map<string, Permission[]>();
  for (const { plugin, ...fields } of permissions) {
    const known = byPlugin.get(plugin);
    if (known) known.push(permissionOf(fields));
    else byPlugin.set(plugin, [permissionOf(fields)]);
  }
  const metadata = new Map<string, PluginMetadataBody>();
  const withoutRules: Array<{ plugin: string; why: string }> = [];
  for (const [plugin, declared] of byPlugin) {
    const rules = await rulesOf(backend, plugin);
    if (Array.isArray(rules)) {
      metadata.set(plugin, { permissions: declared, rules });
    } else {
      metadata.set(plugin, { permissions: declared });
      withoutRules.push({ plugin, why: rules });
    }
  }
  const unread = unknownPlugins.flatMap(({ plugin, state }) =>
    state === 'unread' ? [plugin] : [],
  );
  return { file: { metadata, unread }, withoutRules };
}

/** @returns why they are not known, if they are not. */
async function rulesOf(
  backend: Pick<Backend, 'metadataOf'>,
  plugin: string,
): Promise<unknown[] | string> {
  try {
    const body = await backend.metadataOf<{ rules?: unknown } | null>(plugin);
    return Array.isArray(body?.rules) ? body.rules : 'its answer has no rules';
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
}
