/** Of longer lists only these many names are compared. */
const MAX_COMPARED = 1000;
const MAX_LENGTH = 100;

/**
 * The name that was probably meant by a misspelt one; undefined if none is close. Letter case does
 * not count. At most 1000 names are compared.
 */
export function closest(misspelt: string, names: Iterable<string>): string | undefined {
  if (misspelt.length > MAX_LENGTH) return undefined;
  const most = misspelt.length < 4 ? 1 : 2;
  let best: { readonly name: string; readonly distance: number } | undefined;
  let compared = 0;
  for (const name of names) {
    if (++compared > MAX_COMPARED) break;
    if (Math.abs(name.length - misspelt.length) > most) continue;
    const distance = editDistance(misspelt.toLowerCase(), name.toLowerCase());
    if (distance <= most && distance < (best?.distance ?? Infinity)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** How many characters must be inserted, removed or replaced (Levenshtein). */
function editDistance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const replaced =
        above[column - 1]! + (one[row - 1] === other[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1));
    }
    above = current;
  }
  return above[other.length]!;
}
