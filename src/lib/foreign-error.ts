/**
 * The code of a foreign error, else its name, if that is one word. Never its message, which may
 * contain secrets. Undefined if neither can be read.
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

/** With its cause: `fetch` throws `TypeError (ECONNREFUSED)` if nothing listens. */
export function errorNames(error: unknown): string {
  const name = errorName(error) ?? (error === null ? 'null' : typeof error);
  const cause = errorName(field(error, 'cause'));
  return cause === undefined ? name : `${name} (${cause})`;
}

/** Where it was thrown, `at handle (/app/policy.js:12:5)`; never its message. */
export function errorPlace(error: unknown): string {
  const [stack, message] = [field(error, 'stack'), field(error, 'message')];
  if (typeof stack !== 'string') return 'at an unknown place';
  // The stack begins with the message, which may have several lines.
  const start = typeof message === 'string' ? stack.indexOf(message) : -1;
  const frames = start < 0 ? stack : stack.slice(start + String(message).length);
  return /^\s+(at .*)$/m.exec(frames)?.[1] ?? 'at an unknown place';
}

function field(error: unknown, name: 'cause' | 'message' | 'stack'): unknown {
  try {
    return (Object(error) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
