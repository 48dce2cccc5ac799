const encoder = new TextEncoder();

/**
 * JSON text as the evaluator takes it. Half of a surrogate pair alone, which its parser
 * refuses, becomes U+FFFD, as an OPA server reads it.
 *
 * @param json - of any writer: a whole pair may stand as it is, or as two escapes.
 */
export function encodeJson(json: string): ArrayBuffer {
  const text = ESCAPED_HALF.test(json) ? json.replace(ESCAPES, replaced) : json;
  const { buffer, byteOffset, byteLength } = encoder.encode(text);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

const ESCAPED_HALF = /\\ud[89a-f]/i;
/** An escaped backslash and a pair are matched too, and kept: neither holds half of a pair. */
const ESCAPES =
  /\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}/gi;
const HALF = '\\ud800'.length;
const replaced = (match: string): string => (match.length === HALF ? '\ufffd' : match);
