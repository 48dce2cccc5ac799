import type { Permission } from '@backstage/plugin-permission-common';
import type { NamePattern } from './prefix';

/** `none` stands for a permission without an action. */
export const ACTIONS = ['create', 'read', 'update', 'delete', 'none'] as const;
export type Action = (typeof ACTIONS)[number];

/** The part of a route that decides which permissions it fits. */
export interface RoutePattern extends NamePattern {
  /** Any action if absent. */
  readonly actions?: readonly Action[] | undefined;
  /** Any resource type, and basic permissions, if absent. */
  readonly resourceTypes?: readonly string[] | undefined;
}

export const constraintCount = (route: RoutePattern): number =>
  (route.actions ? 1 : 0) + (route.resourceTypes ? 1 : 0);

export const actionOf = (permission: Permission): string =>
  permission.attributes?.action ?? 'none';

export const resourceTypeOf = (permission: Permission): string | undefined =>
  permission.type === 'resource' ? permission.resourceType : undefined;
