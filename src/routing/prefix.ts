import { MAX_PERMISSION_NAME_LENGTH } from '../request';

/**
 * The segments of a routing prefix. `catalog.entity`, `catalog.entity.` and
 * `catalog.entity.*` are the same; `''` and `*` have no segments and match every name.
 *
 * @throws Error if the prefix can match no permission name or is ambiguous to read.
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
    throw new Error("has a '*' that is not its last segment; a prefix is no pattern");
  }
  // White space, what cannot be seen, and commas: typing errors, in no plugin's names.
  const stranger = /[,\p{Z}\p{C}]/u.exec(prefix);
  if (stranger) {
    throw new Error(
      `contains ${JSON.stringify(stranger[0])}; a prefix is words joined by '.'`,
    );
  }
  return segments;
}

/** The one spelling of a prefix that logs and traces use. */
export const formatPrefix = (segments: readonly string[]): string =>
  segments.length === 0 ? '*' : segments.join('.');
