import { isUtf8 } from 'node:buffer';

/** A JSON string; the group matches if the string is the name of a member. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g;

/**
 * The JSON value of a response; undefined if it is not JSON or could be read in more than one
 * way: bytes that are not UTF-8, which decoding would replace, and an object with a repeated
 * key, of which `JSON.parse` keeps only the last.
 */
export function parseBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  try {
    const value = JSON.parse(text) as unknown;
    return namesInText(text) === namesIn(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function namesInText(text: string): number {
  let count = 0;
  STRING.lastIndex = 0;
  for (let found = STRING.exec(text); found !== null; found = STRING.exec(text)) {
    if (found[1] !== undefined) count++;
  }
  return count;
}

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
