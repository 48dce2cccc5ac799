import { MAX_PERMISSION_NAME_LENGTH } from '../request';

/**
 * The segments of a routing prefix. `catalog.entity`, `catalog.entity.` and
 * `catalog.entity.*` mean the same; `''` and `*` have no segments and match every name.
 *
 * @throws Error if the prefix cannot match any permission name, or could be misread.
 */
export function parsePrefix(prefix: string): readonly string[] {
  if (prefix === '' || prefix === '*') return [];
  if (prefix.length > MAX_PERMISSION_NAME_LENGTH) {
    throw new Error(
      `is longer than ${MAX_PERMISSION_NAME_LENGTH} characters, so no permission can match it`,
    );
  }
  const segments = prefix.replace(/\.\*?$/, '').split('.');
  if (segments.includes('')) {
    throw new Error("has an empty segment; write '' or '*' to match every permission");
  }
  if (segments.some(segment => segment.includes('*'))) {
    throw new Error(
      "has a '*' that is not its last segment; a prefix is not a pattern",
    );
  }
  // Commas, white space and invisible characters are typing errors: no plugin uses them.
  const typo = /[,\p{Z}\p{C}]/u.exec(prefix);
  if (typo) {
    throw new Error(
      `contains ${JSON.stringify(typo[0])}; a prefix is words joined by '.'`,
    );
  }
  return segments;
}

/** The prefix as logs and traces write it. */
export const formatPrefix = (segments: readonly string[]): string =>
  segments.length === 0 ? '*' : segments.join('.');
