import { escapeInvisible } from './lib/quote';
import { MAX_PERMISSION_NAME_LENGTH } from './request';

/** Which names a route is about. Equal patterns have equal fields. */
export interface NamePattern {
  /**
   * Without `kind`: a prefix of whole segments. A name fits if its segments, split at dots, begin
   * with these.
   */
  readonly segments: readonly string[];
  /**
   * - `start`: a prefix that ends in `/`, split at slashes. A name fits if it begins with it.
   * - `name`: one exact name, as the only segment.
   */
  readonly kind?: 'start' | 'name' | undefined;
}

/**
 * Reads a prefix. `catalog.entity`, `catalog.entity.` and `catalog.entity.*` mean the same; `''` and
 * `*` have no segments and match every name. A prefix that ends in `/` matches the names that begin
 * with it.
 *
 * @throws Error if the prefix cannot match any permission name, or could be misread.
 */
export function parsePrefix(prefix: string): NamePattern {
  if (prefix === '' || prefix === '*') return { segments: [] };
  refuseTooLong(prefix);
  return prefix.endsWith('/') ? parseStart(prefix) : parseSegments(prefix);
}

/** What `parsePrefix` accepts, but for the length. With the flag `u`. */
export const PREFIX_PATTERN = [
  '\\*?',
  '[^.*,\\p{Z}\\p{C}]+(\\.[^.*,\\p{Z}\\p{C}]+)*(\\.\\*?)?',
  '(?! )([^*,\\p{Z}\\p{C}]| )*/',
]
  .map(each => `^${each}$`)
  .join('|');

/**
 * Reads one exact name, which may contain any characters.
 *
 * @throws Error if no permission can have the name.
 */
export function parseName(name: string): NamePattern {
  if (name === '') throw new Error('is empty; write the name of a permission');
  refuseTooLong(name);
  return { segments: [name], kind: 'name' };
}

function refuseTooLong(text: string): void {
  if (text.length <= MAX_PERMISSION_NAME_LENGTH) return;
  throw new Error(
    `is longer than ${MAX_PERMISSION_NAME_LENGTH} characters, so no permission can match it`,
  );
}

function parseSegments(prefix: string): NamePattern {
  const segments = prefix.replace(/\.\*?$/, '').split('.');
  if (segments.includes('')) {
    throw new Error("has an empty segment; write '' or '*' to match every permission");
  }
  if (segments.some(segment => segment.includes('*'))) {
    const meant = /^[^*]*\/(?=\*$)/.exec(prefix);
    throw new Error(
      "has a '*' that is not its last segment; a prefix is not a pattern" +
        (meant ? "; without the '*' it matches the names that begin with it" : ''),
    );
  }
  // Commas, white space and invisible characters are typing errors: few plugins use them.
  const typo = /[,\p{Z}\p{C}]/u.exec(prefix);
  if (typo) {
    throw new Error(
      `contains ${JSON.stringify(typo[0])}; a prefix is words joined by '.', or ends in '/'; ` +
        "for one exact name write 'name' in place of 'prefix'",
    );
  }
  return { segments };
}

function parseStart(prefix: string): NamePattern {
  if (prefix.includes('*')) {
    throw new Error("has a '*'; a prefix is not a pattern");
  }
  // Plugins put names of clusters and projects here, and these may contain spaces.
  const typo = /^ |[,\p{C}]|(?! )\p{Z}/u.exec(prefix);
  if (typo) {
    throw new Error(
      `contains ${JSON.stringify(typo[0])}; a prefix that ends in '/' may contain spaces inside, but no ` +
        "commas or other white space; for one exact name write 'name' in place of 'prefix'",
    );
  }
  return { segments: prefix.slice(0, -1).split('/'), kind: 'start' };
}

/** What a matching name begins with, or is. */
export function textOf({ segments, kind }: NamePattern): string {
  return kind === 'start' ? `${segments.join('/')}/` : segments.join('.');
}

/** Whether a name fits. To find the fitting ones of many patterns, use a `NameIndex`. */
export function matchesName(pattern: NamePattern, name: string): boolean {
  const text = textOf(pattern);
  switch (pattern.kind) {
    case 'name':
      return name === text;
    case 'start':
      return name.startsWith(text);
    case undefined:
      return (
        pattern.segments.length === 0 || name === text || name.startsWith(`${text}.`)
      );
  }
}

/** The prefix or name as logs and traces write it; that of a prefix is read as the same prefix. */
export function formatPattern(pattern: NamePattern): string {
  const text = textOf(pattern);
  if (pattern.kind !== undefined) return escapeInvisible(text);
  if (pattern.segments.length === 0) return '*';
  return text.endsWith('/') ? `${text}.*` : text;
}

/** Tells names that a text stands for: a prefix as routes have it, or one whole name. */
export function nameTest(text: string): (name: string) => boolean {
  try {
    const pattern = parsePrefix(text);
    return name => matchesName(pattern, name);
  } catch {
    // No prefix, but a name may have any characters.
    return name => name === text;
  }
}
