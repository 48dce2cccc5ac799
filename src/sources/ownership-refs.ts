import type { Principal } from '../request';

/**
 * Rules compare refs case-sensitively: the catalog's (on single checks) with refs in lower
 * case, the scaffolder's with the creator as signed in. So a rule gets each ref in both forms.
 */
export const ownershipRefs = ({ ownershipEntityRefs }: Principal): string[] => [
  ...new Set(ownershipEntityRefs.flatMap(ref => [ref, normalizeRef(ref)])),
];

export const normalizeRef = (ref: string): string => ref.toLocaleLowerCase('en-US');
