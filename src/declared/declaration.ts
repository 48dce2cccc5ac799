import type { Permission } from '@backstage/plugin-permission-common';
import { z } from 'zod';
import { readPermission } from '../request';

/** Far more than a plugin declares. */
const MAX_PERMISSIONS = 10_000;

/** What the plugins that were read say of a name. */
export type Declaration =
  | {
      readonly kind: 'one';
      readonly pluginId: string;
      readonly permission: Readonly<Permission>;
    }
  | { readonly kind: 'several'; readonly pluginIds: readonly string[] }
  /** None declares it. */
  | { readonly kind: 'none' }
  /** None of those read so far declares it, and not all have been read. */
  | { readonly kind: 'unread' };

const metadata = z.object({ permissions: z.array(z.unknown()).optional() });

/**
 * The permissions that a plugin declares, reduced to the fields that Backstage defines. What is not
 * a permission is left out, as nobody can ask for it.
 *
 * @param body - of `/.well-known/backstage/permissions/metadata`.
 */
export function permissionsIn(body: unknown): ReadonlyArray<Readonly<Permission>> {
  const { data } = metadata.safeParse(body);
  return (data?.permissions ?? []).slice(0, MAX_PERMISSIONS).flatMap(permission => {
    try {
      return [readPermission({ permission: permission as Permission })];
    } catch {
      return [];
    }
  });
}
