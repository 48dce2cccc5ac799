/** The routes of what the plugins declare. */
import type { Permission } from '@backstage/plugin-permission-common';
import type { DeclaredState } from '../declared/declared-permissions';
import { canonical } from '../lib/canonical';
import type { Slices } from '../lib/slices';

/** Of the permissions of all plugins, this many are looked at. */
export const MAX_DECLARED = 10_000;

/** A permission, and a plugin that declares it. */
export interface DeclaredPermission {
  readonly pluginId: string;
  readonly permission: Readonly<Permission>;
}

export interface DeclaredList {
  /** By plugin, and as the plugin lists them; one that a plugin repeats is there once. */
  readonly listed: readonly DeclaredPermission[];
  /** How many were not looked at, because there are more than 10,000. */
  readonly leftOut: number;
  /** How many plugins declare a permission. */
  readonly declaring: number;
}

/** The permissions of all plugins. */
export async function listDeclared(
  { plugins }: Pick<DeclaredState, 'plugins'>,
  slices: Slices,
): Promise<DeclaredList> {
  const listed: DeclaredPermission[] = [];
  let looked = 0;
  let leftOut = 0;
  await slices.each(plugins, async ({ pluginId, permissions }) => {
    const most = MAX_DECLARED - looked;
    const first = permissions.slice(0, most);
    looked += first.length;
    leftOut += permissions.length - first.length;
    const seen = new Set<string>();
    await slices.each(first, permission => {
      const text = canonical(permission);
      if (seen.has(text)) return;
      seen.add(text);
      listed.push({ pluginId, permission });
    });
  });
  const declaring = plugins.filter(each => each.permissions.length > 0).length;
  return { listed, leftOut, declaring };
}
