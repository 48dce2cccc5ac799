const SHOWN = 100;

/** Text of callers or policies for a message: one line, quoted, cut to a bounded length. */
export function quote(text: unknown): string {
  const whole = String(text);
  return JSON.stringify(whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole);
}

/** Text of other plugins for a message of ours: one line of a bounded length. */
export const oneLine = (text: string): string =>
  text.replace(/\s+/g, ' ').slice(0, 2 * SHOWN);

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
