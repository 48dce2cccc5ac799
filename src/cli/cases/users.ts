/** Whom a case means by a name or an entity ref. */
import { normalizeRef } from '../../sources/ownership-refs';
import { ANONYMOUS, type TestFile } from './schema';

export interface CaseUser {
  /** Undefined for a request without a user. */
  readonly ref: string | undefined;
  /** Its own first; empty for a request without a user. */
  readonly ownershipRefs: readonly string[];
}

/** The ref of a user of the file. */
export const refOf = (name: string, { ref }: { readonly ref?: string | undefined }) =>
  ref ?? `user:default/${name}`;

/** The names of the users that have this entity ref, in any letter case. */
export const usersOfRef = (ref: string, users: TestFile['users']): string[] =>
  [...(users ?? [])]
    .filter(([name, user]) => normalizeRef(refOf(name, user)) === normalizeRef(ref))
    .map(([name]) => name);

/**
 * The user of a case. An entity ref is that of the user who has it, with the groups; one that no user
 * has is in no group.
 *
 * @param who - checked by `checkCases`.
 */
export function caseUser(who: string, users: TestFile['users']): CaseUser {
  if (who === ANONYMOUS) return { ref: undefined, ownershipRefs: [] };
  const name = who.includes(':') ? usersOfRef(who, users)[0] : who;
  const user = name === undefined ? undefined : users?.get(name);
  const ref = name !== undefined && user ? refOf(name, user) : who;
  return { ref, ownershipRefs: [...new Set([ref, ...(user?.groups ?? [])])] };
}
