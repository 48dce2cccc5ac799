import { cut } from '../../lib/bounded';

/** In characters, of the reason that a record shows. */
const MAX_REASON_LENGTH = 500;
/** Of a longer text only so many characters are read. */
const MAX_READ = 10_000;

/** Colours, cursor movements, titles and links: what a terminal acts on instead of showing it. */
const ESCAPE_SEQUENCES =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-~]/g;

/**
 * The reason that a policy gives, for the record: one line without control characters and marks
 * that change the direction of the text. A longer one ends with `…`. Never shown to callers.
 */
export const plainReason = (reason: string): string =>
  cut(
    reason
      .slice(0, MAX_READ)
      .replace(ESCAPE_SEQUENCES, '')
      .replace(/[\s\u0085]/g, ' ')
      .replace(/\p{C}/gu, '')
      .replace(/ +/g, ' ')
      .trim(),
    MAX_REASON_LENGTH,
  );
