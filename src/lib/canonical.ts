import stringify from 'safe-stable-stringify';

/** Equal for equal config values, whatever the order of their keys; maps count as entries. */
export function canonical(value: unknown): string {
  const replacer = (_key: string, item: unknown): unknown =>
    item instanceof Map ? [...item.entries()] : item;
  return stringify(value, replacer) ?? '';
}
