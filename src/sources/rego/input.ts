import type { PermissionRequest, Principal } from '../../request';

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

export const regoInput = ({ permission, principal }: PermissionRequest): RegoInput => ({
  permission,
  identity: identityOf(principal).document,
});

/** The members of `input` as JSON text; the identity, which may be long, is written only once. */
export interface RegoInputText {
  readonly permission: string;
  readonly identity: string;
}

export const regoInputText = ({
  permission,
  principal,
}: PermissionRequest): RegoInputText => ({
  permission: JSON.stringify(permission),
  identity: identityOf(principal).text,
});

/** The identity of `input` as JSON text. */
export const identityText = (principal: Principal): string =>
  identityOf(principal).text;

/** The whole `input` as JSON in UTF-8, between a prefix and a suffix. */
export function regoInputBytes(
  { permission, principal }: PermissionRequest,
  prefix = '',
  suffix = '',
): Buffer {
  return Buffer.concat([
    Buffer.from(`${prefix}{"permission":${JSON.stringify(permission)},"identity":`),
    identityOf(principal).bytes,
    Buffer.from(`}${suffix}`),
  ]);
}

/** An identity, and what it is on the wire. */
class Identity {
  readonly document: RegoInput['identity'];
  private written: string | undefined;
  private encoded: Buffer | undefined;

  constructor({ userEntityRef, ownershipEntityRefs: claims }: Principal) {
    this.document =
      userEntityRef === undefined ? { claims } : { user: userEntityRef, claims };
  }

  get text(): string {
    return (this.written ??= JSON.stringify(this.document));
  }

  get bytes(): Buffer {
    return (this.encoded ??= Buffer.from(this.text));
  }
}

const identities = new WeakMap<Principal, Identity>();

function identityOf(principal: Principal): Identity {
  let identity = identities.get(principal);
  if (!identity) identities.set(principal, (identity = new Identity(principal)));
  return identity;
}
