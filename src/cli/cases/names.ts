/** Names and refs in a test file. */
import { z } from 'zod';
import { shown, text } from '../../lib/fields';

/** In a case, a request without a user. */
export const ANONYMOUS = 'anonymous';

/** Short, and never an entity ref. */
export const shortName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error:
    "a name has up to 63 letters, digits, '.', '_' and '-', and begins with a letter or digit",
});

const USER_REF = "the entity ref of a user such as 'user:default/olivia'";
export const userRef = text(USER_REF).regex(/^[Uu][Ss][Ee][Rr]:[^:/\s]+\/[^:/\s]+$/, {
  error: issue => `must be ${USER_REF}${shown(issue.input)}`,
});

const WHO = `a name of users, ${USER_REF}, or '${ANONYMOUS}'`;

/** Who asks, as a case names them. */
export const who = text(WHO).regex(
  /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,62}|[Uu][Ss][Ee][Rr]:[^:/\s]+\/[^:/\s]+)$/,
  { error: issue => `must be ${WHO}${shown(issue.input)}` },
);
