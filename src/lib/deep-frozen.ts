/** The same value of JSON, in which nothing can be changed any more. Recurses. */
export function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const key in value) deepFrozen(value[key]);
  return Object.freeze(value);
}
