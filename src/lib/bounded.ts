/** Text of bounded length, for messages about what may be huge. */

const MAX_NAMES = 10;

/** The text, or its beginning with `…` if it has more characters. */
export function cut(text: string, most = 100): string {
  if (text.length <= most) return text;
  const kept = text.slice(0, most - 1);
  // Half of a character would be printed as an unreadable one.
  return `${/[\uD800-\uDBFF]$/.test(kept) ? kept.slice(0, -1) : kept}…`;
}

/**
 * `a, b, c`, or the first of them: `a, b, c and 7 more`.
 *
 * @param items - each of bounded length; the first ones are enough if `total` is given.
 * @param total - how many there are.
 */
export function someOf(
  items: readonly string[],
  total = items.length,
  most = MAX_NAMES,
): string {
  const shown = items.slice(0, most);
  const more = total - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The same of names of any length, in quotes: `'a', 'b' and 7 more`. */
export const someNames = (names: readonly string[], total = names.length): string =>
  someOf(
    names.slice(0, MAX_NAMES).map(name => `'${cut(name)}'`),
    total,
  );
