import type { Principal } from '../../request';
import { identityText } from '../rego/input';
import type { InputPart } from './instance';
import { encodeJson, withoutEscapedHalves } from './json-text';

const PERMISSION = '{"permission":';
const IDENTITY = ',"identity":';
const END = '}';

/**
 * The `input` of a question, in pieces. The identity, which may be long, is encoded once for all
 * questions of its principal.
 *
 * @param permission - as JSON.
 */
export const wasmInput = (permission: string, principal: Principal): InputPart[] => [
  PERMISSION + withoutEscapedHalves(permission) + IDENTITY,
  encodedIdentity(principal),
  END,
];

const identities = new WeakMap<Principal, Uint8Array>();

function encodedIdentity(principal: Principal): Uint8Array {
  let encoded = identities.get(principal);
  if (!encoded) {
    encoded = new Uint8Array(encodeJson(identityText(principal)));
    identities.set(principal, encoded);
  }
  return encoded;
}
