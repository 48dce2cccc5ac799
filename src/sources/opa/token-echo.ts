/**
 * Whether a response repeats the token of its request, in any string or key. A proxy in front
 * of OPA may do that, for example in an error page; OPA itself does not.
 *
 * @param text - the response as received.
 * @param body - the same, parsed as JSON; undefined if it cannot be parsed unambiguously.
 */
export function repeatsToken(text: string, body: unknown, token: string): boolean {
  if (text.includes(token)) return true;
  // JSON may write every character as an escape.
  if (!text.includes('\\')) return false;
  if (body === undefined) return true;
  try {
    return holds(body, token);
  } catch {
    // Nested too deeply to be searched.
    return true;
  }
}

function holds(value: unknown, token: string): boolean {
  if (typeof value === 'string') return value.includes(token);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([key, item]) => key.includes(token) || holds(item, token),
  );
}
