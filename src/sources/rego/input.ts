import type { PermissionRequest } from '../../request';

/**
 * The `input` document of a Rego policy: a superset of what existing Backstage policies read
 * (`input.permission.name`, `input.identity.user`, `input.identity.claims`).
 * An anonymous request has no `identity.user` and empty `claims`.
 */
export interface RegoInput {
  readonly permission: {
    readonly name: string;
    readonly type: 'basic' | 'resource';
    readonly attributes: { readonly action?: string };
    readonly resourceType?: string;
  };
  readonly identity: {
    readonly user?: string;
    readonly claims: readonly string[];
  };
}

export function regoInput({ permission, principal }: PermissionRequest): RegoInput {
  const { userEntityRef, ownershipEntityRefs } = principal;
  return {
    permission,
    identity:
      userEntityRef === undefined
        ? { claims: ownershipEntityRefs }
        : { user: userEntityRef, claims: ownershipEntityRefs },
  };
}
