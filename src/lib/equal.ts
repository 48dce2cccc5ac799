import type { Slices } from './slices';

/**
 * Whether two values of a config are the same. The order of keys does not matter, and a key that
 * is undefined is missing; maps are lists of entries, as in `canonical`. Done in slices, without
 * recursion.
 *
 * @param known - not circular; the other value may be anything.
 */
export async function equal(
  value: unknown,
  known: unknown,
  slices: Slices,
): Promise<boolean> {
  const left: unknown[] = [value];
  const right: unknown[] = [known];
  while (right.length > 0) {
    if (slices.isOver()) await slices.next();
    const [one, other] = [left.pop(), right.pop()];
    if (Object.is(one, other)) continue;
    const [parts, others] = [partsOf(one), partsOf(other)];
    if (!parts || !others || parts.length !== others.length) return false;
    for (const part of parts) left.push(part);
    for (const part of others) right.push(part);
  }
  return true;
}

/** What must be equal for values to be equal; undefined if they must be identical. */
function partsOf(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return ['list', ...(value as unknown[])];
  if (value instanceof Map) return ['map', ...flat(value)];
  if (!isPlain(value)) return undefined;
  const entries = Object.entries(value as Record<string, unknown>)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return ['object', ...flat(entries)];
}

/** Whether its prototype, if any, is that of all objects. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function* flat(entries: Iterable<[unknown, unknown]>): Generator<unknown> {
  for (const [key, item] of entries) {
    yield key;
    yield item;
  }
}
