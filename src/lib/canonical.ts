import stringify from 'safe-stable-stringify';

/** Equal text for equal config values: the order of keys does not matter; maps are lists of entries. */
export function canonical(value: unknown): string {
  const replacer = (_key: string, item: unknown): unknown =>
    item instanceof Map ? [...item.entries()] : item;
  return stringify(value, replacer) ?? '';
}
