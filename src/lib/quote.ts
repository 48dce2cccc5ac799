const MAX_SHOWN = 100;

/** Text of callers or policies for use in a message: one quoted line of bounded length. */
export function quote(text: unknown): string {
  const whole = String(text);
  const shown = whole.length > MAX_SHOWN ? `${whole.slice(0, MAX_SHOWN)}…` : whole;
  if (PLAIN.test(shown)) return `"${shown}"`;
  return JSON.stringify(shown).replace(INVISIBLE, escaped);
}

/** Nothing in it is escaped. Most names are like this. */
const PLAIN = /^[\w .:/-]*$/;

/** Text of the config for use in a message: one line, not quoted. */
export const escapeInvisible = (text: string): string =>
  text.replace(INVISIBLE, escaped);

/** Text of other plugins for use in a message: one line of bounded length, not quoted. */
export const oneLine = (text: string): string =>
  text.replace(/[\s\p{C}]+/gu, ' ').slice(0, 2 * MAX_SHOWN);

/**
 * Characters that JSON does not escape but a terminal or log viewer may act on: control
 * characters, line separators, and marks that change the direction of the text.
 */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

const escaped = (character: string): string =>
  character
    .split('')
    .map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
