const encoder = new TextEncoder();

/**
 * JSON text encoded for the evaluator. A lone surrogate, which the evaluator's parser rejects,
 * becomes U+FFFD, as in an OPA server.
 *
 * @param json - a surrogate pair in it may be written directly or as two escapes.
 */
export function encodeJson(json: string): ArrayBuffer {
  const text = ESCAPED_HALF.test(json) ? json.replace(ESCAPES, replaced) : json;
  const { buffer, byteOffset, byteLength } = encoder.encode(text);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

const ESCAPED_HALF = /\\ud[89a-f]/i;
/** Escaped backslashes and whole pairs are matched too, and kept. */
const ESCAPES =
  /\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}/gi;
const HALF = '\\ud800'.length;
const replaced = (match: string): string => (match.length === HALF ? '\ufffd' : match);
