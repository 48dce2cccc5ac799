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
    refs = Object.freeze([...inBothForms(principal.ownershipEntityRefs)]);
    known.set(principal, refs);
  }
  return refs;
}

function inBothForms(refs: readonly string[]): Set<string> {
  const forms = new Set<string>();
  for (const ref of refs) {
    const lower = normalizeRef(ref);
    forms.add(ref);
    if (lower !== ref) forms.add(lower);
  }
  return forms;
}

/** As the catalog does it with the locale en-US, which takes five times as long. */
export const normalizeRef = (ref: string): string => ref.toLowerCase();
