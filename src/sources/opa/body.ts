import { isUtf8 } from 'node:buffer';

/**
 * The JSON value of a response; undefined if it is not JSON or could be read in more than one
 * way: bytes that are not UTF-8, which decoding would replace, and an object with a repeated
 * key, of which `JSON.parse` keeps only the last.
 *
 * @param text - the same bytes, decoded.
 */
export function parseBody(bytes: Buffer, text = bytes.toString()): unknown {
  if (!isUtf8(bytes)) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    return namesInText(text) === namesIn(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The strings before a colon in a JSON text. */
function namesInText(text: string): number {
  let count = 0;
  for (let open = text.indexOf('"'); open !== -1;) {
    const next = endOfString(text, open) + 1;
    if (isBeforeColon(text, next)) count++;
    open = text.indexOf('"', next);
  }
  return count;
}

/** Of the string that opens there. */
function endOfString(text: string, open: number): number {
  let end = text.indexOf('"', open + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, quote: number): boolean {
  let first = quote;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (quote - first) % 2 === 1;
}

function isBeforeColon(text: string, start: number): boolean {
  let at = start;
  while (WHITE_SPACE.includes(text.charCodeAt(at))) at++;
  return text.charCodeAt(at) === COLON;
}

const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** Of JSON: space, tab, line feed, carriage return. */
const WHITE_SPACE = [0x20, 0x09, 0x0a, 0x0d];

/** Without recursion, because the value may be nested deeper than the stack allows. */
function namesIn(value: unknown): number {
  let count = 0;
  const left = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next !== 'object' || next === null) continue;
    const values: unknown[] = Array.isArray(next) ? next : Object.values(next);
    if (values !== next) count += values.length;
    for (const each of values) if (typeof each === 'object') left.push(each);
  }
  return count;
}
