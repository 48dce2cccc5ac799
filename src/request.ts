import type { Permission } from '@backstage/plugin-permission-common';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';

/** No plugin has longer names or resource types; routing and sources never see them. */
export const MAX_PERMISSION_NAME_LENGTH = 256;

/** `none` stands for a permission without an action. */
export const ACTIONS = ['create', 'read', 'update', 'delete', 'none'] as const;
export type Action = (typeof ACTIONS)[number];

export const actionOf = (permission: Permission): string =>
  permission.attributes?.action ?? 'none';

export const resourceTypeOf = (permission: Permission): string | undefined =>
  permission.type === 'resource' ? permission.resourceType : undefined;

/** Who asks. Without a user (anonymous) the ref is absent and the claims are empty. */
export interface Principal {
  readonly userEntityRef?: string;
  readonly ownershipEntityRefs: readonly string[];
}

/** What is asked, and by whom. Frozen: no source can change it for another. */
export interface PermissionRequest {
  readonly permission: Readonly<Permission>;
  readonly principal: Principal;
  /** Who asks, as the host gave it. Hosted policies get it, each a copy of its own. */
  readonly user?: PolicyQueryUser | undefined;
}

/** The request cannot be understood; it is denied before any source is asked. */
export class InvalidRequestError extends Error {
  override readonly name = 'InvalidRequestError';
}

/**
 * A frozen copy of the permission in a policy query, reduced to the fields Backstage defines.
 *
 * @throws InvalidRequestError if it has no usable name, type, action or resource type.
 */
export function readPermission(query: {
  permission: Permission;
}): Readonly<Permission> {
  const { name, type, attributes } = query.permission;
  if (typeof name !== 'string') {
    throw new InvalidRequestError('the permission has no name');
  }
  if (name.length > MAX_PERMISSION_NAME_LENGTH) {
    throw new InvalidRequestError(
      `the permission's name is longer than ${MAX_PERMISSION_NAME_LENGTH} characters`,
    );
  }
  const action = attributes?.action;
  if (action !== undefined && typeof action !== 'string') {
    throw new InvalidRequestError("the permission's action is not a string");
  }
  if (action !== undefined && action.length > MAX_PERMISSION_NAME_LENGTH) {
    throw new InvalidRequestError(
      `the permission's action is longer than ${MAX_PERMISSION_NAME_LENGTH} characters`,
    );
  }
  const frozenAttributes = Object.freeze(action === undefined ? {} : { action });
  if (type === 'basic') {
    return Object.freeze({ name, type, attributes: frozenAttributes });
  }
  const { resourceType } = query.permission;
  if (type !== 'resource' || typeof resourceType !== 'string') {
    throw new InvalidRequestError(
      'the permission is neither a basic permission nor a resource permission with a resource type',
    );
  }
  if (resourceType.length > MAX_PERMISSION_NAME_LENGTH) {
    throw new InvalidRequestError(
      `the resource type is longer than ${MAX_PERMISSION_NAME_LENGTH} characters`,
    );
  }
  return Object.freeze({ name, type, attributes: frozenAttributes, resourceType });
}

/** The principal of requests without a user. A new one for each batch, like any other. */
export const anonymous = (): Principal =>
  Object.freeze({ ownershipEntityRefs: Object.freeze([]) });

/**
 * @throws InvalidRequestError if the user's info does not have the shape that Backstage defines.
 */
export function readPrincipal(info: {
  userEntityRef: string;
  ownershipEntityRefs: string[];
}): Principal {
  const { userEntityRef, ownershipEntityRefs } = info;
  // Copied first, so that the refs that were checked are the refs that are used.
  const refs = Array.isArray(ownershipEntityRefs) ? [...ownershipEntityRefs] : [null];
  if (
    typeof userEntityRef !== 'string' ||
    !refs.every(ref => typeof ref === 'string')
  ) {
    throw new InvalidRequestError('the identity of the user is incomplete');
  }
  return Object.freeze({ userEntityRef, ownershipEntityRefs: Object.freeze(refs) });
}
