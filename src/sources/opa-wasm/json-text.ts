const encoder = new TextEncoder();

/**
 * JSON text encoded for the evaluator. A lone surrogate, which the evaluator's parser rejects,
 * becomes U+FFFD, as in an OPA server.
 *
 * @param json - a surrogate pair in it may be written directly or as two escapes.
 */
export function encodeJson(json: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = encoder.encode(withoutEscapedHalves(json));
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

/** The same for text that is encoded later. One that is written directly is lost in encoding. */
export const withoutEscapedHalves = (json: string): string =>
  ESCAPED_HALF.test(json) ? json.replace(ESCAPES, replaced) : json;

const ESCAPED_HALF = /\\ud[89a-f]/i;
/** Escaped backslashes and whole pairs are matched too, and kept. */
const ESCAPES =
  /\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}/gi;
const HALF = '\\ud800'.length;
const replaced = (match: string): string => (match.length === HALF ? '\ufffd' : match);
