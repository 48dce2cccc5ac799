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
  /** The identity in UTF-8. */
  readonly identityBytes: () => Buffer;
}

export const regoInputText = ({
  permission,
  principal,
}: PermissionRequest): RegoInputText => {
  const identity = identityOf(principal);
  return {
    permission: JSON.stringify(permission),
    identity: identity.text,
    identityBytes: () => identity.bytes,
  };
};

/** The identity of `input` as JSON text. */
export const identityText = (principal: Principal): string =>
  identityOf(principal).text;

/** In characters; below it, writing an identity once more costs less than putting it in place. */
const SHORT = 1024;

/** The whole `input` as JSON in UTF-8, between a prefix and a suffix. */
export function regoInputBytes(
  { permission, identity, identityBytes }: RegoInputText,
  prefix = '',
  suffix = '',
): Buffer {
  const before = `${prefix}{"permission":${permission},"identity":`;
  const after = `}${suffix}`;
  return identity.length <= SHORT
    ? Buffer.from(before + identity + after)
    : Buffer.concat([Buffer.from(before), identityBytes(), Buffer.from(after)]);
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

/** Refs from which on an identity is worth keeping; a `WeakMap` costs as much as writing fewer. */
const MANY_REFS = 16;

const identities = new WeakMap<Principal, Identity>();

/** Of the last question: the questions of a batch mostly come one after the other. */
let last: { readonly principal: Principal; readonly identity: Identity } | undefined;

function identityOf(principal: Principal): Identity {
  if (last?.principal === principal) return last.identity;
  const isLong = principal.ownershipEntityRefs.length >= MANY_REFS;
  const identity = isLong ? keptIdentity(principal) : new Identity(principal);
  last = { principal, identity };
  return identity;
}

function keptIdentity(principal: Principal): Identity {
  let identity = identities.get(principal);
  if (!identity) identities.set(principal, (identity = new Identity(principal)));
  return identity;
}
