const encoder = new TextEncoder();

/**
 * JSON text as the evaluator takes it. Half of a surrogate pair alone, which its parser
 * refuses, becomes U+FFFD, as an OPA server reads it.
 *
 * @param json - as `JSON.stringify` writes it: whole pairs stand as they are.
 */
export function encodeJson(json: string): ArrayBuffer {
  const text = json.includes('\\ud') ? json.replace(HALF_PAIR, replaced) : json;
  const { buffer, byteOffset, byteLength } = encoder.encode(text);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

/** An escaped backslash is matched too, and kept: what follows it is no escape. */
const HALF_PAIR = /\\\\|\\ud[89a-f][0-9a-f]{2}/g;
const replaced = (match: string): string => (match === '\\\\' ? match : '\ufffd');
