/**
 * Whether a response repeats the token that it answers to, in any text or key. Something before
 * OPA may do that, in an error for example; OPA itself has no reason to.
 *
 * @param text - as it came.
 * @param body - what the text is as JSON; undefined if that is in doubt.
 */
export function repeatsToken(text: string, body: unknown, token: string): boolean {
  if (text.includes(token)) return true;
  // JSON may spell every character as an escape.
  if (!text.includes('\\')) return false;
  if (body === undefined) return true;
  try {
    return holds(body, token);
  } catch {
    // Nested too deep to be looked at.
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
