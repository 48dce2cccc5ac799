import type { Principal } from '../request';

const known = new WeakMap<Principal, readonly string[]>();

/**
 * Rules compare refs case-sensitively: the catalog's (on single checks) with refs in lower
 * case, the scaffolder's with the creator as signed in. So a rule gets each ref in both forms.
 *
 * @returns the same list for the same principal, frozen.
 */
export function ownershipRefs(principal: Principal): readonly string[] {
  let refs = known.get(principal);
  if (!refs) {
    const { ownershipEntityRefs: given } = principal;
    refs = Object.freeze([...new Set(given.flatMap(ref => [ref, normalizeRef(ref)]))]);
    known.set(principal, refs);
  }
  return refs;
}

export const normalizeRef = (ref: string): string => ref.toLocaleLowerCase('en-US');
