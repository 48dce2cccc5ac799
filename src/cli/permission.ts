import type {
  Permission,
  PermissionAttributes,
} from '@backstage/plugin-permission-common';
import type { PermissionFields } from '../trace/facts';

type Fields = Pick<PermissionFields, 'name' | 'type'> &
  Partial<Pick<PermissionFields, 'action' | 'resourceType'>>;

/** The permission that these fields describe, as answers of the API and audit events have them. */
export function permissionOf({ name, type, action, resourceType }: Fields): Permission {
  const attributes: PermissionAttributes =
    action === undefined
      ? {}
      : { action: action as NonNullable<PermissionAttributes['action']> };
  return type === 'resource'
    ? { type, name, attributes, resourceType: resourceType ?? '' }
    : { type: 'basic', name, attributes };
}
