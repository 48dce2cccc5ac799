const SHOWN = 100;

/** Text of callers or policies for a message: one line, quoted, cut to a bounded length. */
export function quote(text: unknown): string {
  const whole = String(text);
  const shown = whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole;
  return JSON.stringify(shown).replace(UNSEEN, escaped);
}

/** Text of other plugins for a message of ours: one line of a bounded length. */
export const oneLine = (text: string): string =>
  text.replace(/[\s\p{C}]+/gu, ' ').slice(0, 2 * SHOWN);

/**
 * What JSON leaves as it is, and a terminal or a reader of logs may obey: the further control
 * characters and line ends, and marks that turn the direction of the text.
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

const escaped = (character: string): string =>
  character
    .split('')
    .map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
