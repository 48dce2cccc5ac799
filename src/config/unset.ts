import { isJsonObject } from '../lib/json-object';
import type { Path } from './findings';

/** The variables that the files of config/ take values from, by the key of the value. */
const SHIPPED: ReadonlyMap<unknown, string> = new Map([
  ['baseUrl', 'OPA_URL'],
  ['token', 'OPA_TOKEN'],
]);

/**
 * What else may be wrong with a value that is missing or empty: Backstage leaves out each value
 * that contains a variable that is not set, and nothing else shows it.
 *
 * @param inside - the path of the value in `config`.
 * @returns what follows the message; empty if the value is neither missing nor empty.
 */
export function unsetVariable(config: unknown, inside: Path): string {
  const value = valueAt(config, inside);
  if (value === undefined) {
    const variable = `\${${SHIPPED.get(inside.at(-1)) ?? '…'}}`;
    return `. It is not set; if it is ${variable} in app-config, that environment variable is not set`;
  }
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
    ? '. If app-config has variables (${…}) in it, they are not set'
    : '';
}

const valueAt = (config: unknown, inside: Path): unknown =>
  inside.reduce<unknown>((value, key) => {
    const isInside = isJsonObject(value) || Array.isArray(value);
    return isInside && Object.hasOwn(value, key)
      ? (value as Record<string | number, unknown>)[key]
      : undefined;
  }, config);
