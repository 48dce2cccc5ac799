/**
 * What a foreign error calls itself, its code before its name, if that is one word; never its
 * message, which may hold anything. Undefined where it cannot be read.
 */
export function errorName(error: unknown): string | undefined {
  try {
    const { code, name } = Object(error) as { code?: unknown; name?: unknown };
    const isWord = (text: unknown): text is string =>
      typeof text === 'string' && /^\w{1,100}$/.test(text);
    return [code, name].find(isWord);
  } catch {
    return undefined;
  }
}

/** With its cause: `TypeError (ECONNREFUSED)` is what `fetch` throws when nobody listens. */
export function errorNames(error: unknown): string {
  const name = errorName(error) ?? typeof error;
  const cause = errorName(field(error, 'cause'));
  return cause === undefined ? name : `${name} (${cause})`;
}

/** What it says, or its kind if it says nothing. It may hold anything, secrets too. */
export function errorMessage(error: unknown): string {
  const message = field(error, 'message');
  return typeof message === 'string' ? message : typeof error;
}

function field(error: unknown, name: 'cause' | 'message'): unknown {
  try {
    return (Object(error) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
