/** What plugins declare, for tests that need no plugin. */
import type { Permission } from '@backstage/plugin-permission-common';
import type {
  DeclaredState,
  DeclaringPlugin,
} from '../../src/declared/declared-permissions';
import { permission as build } from '../fixtures/builders';

type Action = Permission['attributes']['action'];

/** Of the resource type, if one is given. */
export const permission = (
  name: string,
  action?: Action,
  resourceType?: string,
): Permission => build(name, { action, resourceType });

/** What these plugins declare; all of them have been read. */
export const declaredBy = (
  plugins: Readonly<Record<string, readonly Permission[]>>,
  changes: Partial<DeclaredState> = {},
): DeclaredState => ({
  plugins: Object.entries(plugins).map(([pluginId, permissions]): DeclaringPlugin => ({
    pluginId,
    state: 'read',
    permissions,
  })),
  isListed: true,
  isSettled: true,
  ...changes,
});
