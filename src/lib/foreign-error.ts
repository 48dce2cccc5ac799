/**
 * The code of a foreign error, else its name, if that is one word. Never its message, which may
 * contain secrets. Undefined if neither can be read.
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

/** With its cause: `fetch` throws `TypeError (ECONNREFUSED)` if nothing listens. */
export function errorNames(error: unknown): string {
  const name = errorName(error) ?? (error === null ? 'null' : typeof error);
  const cause = errorName(field(error, 'cause'));
  return cause === undefined ? name : `${name} (${cause})`;
}

/** Where it was thrown, `at handle (/app/policy.js:12:5)`; never its message. */
export function errorPlace(error: unknown): string {
  const [stack, message] = [field(error, 'stack'), field(error, 'message')];
  if (typeof stack !== 'string') return UNKNOWN_PLACE;
  // The stack begins with the message, which may have any number of lines, also such that look
  // like frames; or with an earlier message, if it was changed. The frames end it.
  const start = typeof message === 'string' ? stack.indexOf(message) : -1;
  const rest = start < 0 ? stack : stack.slice(start + String(message).length);
  const lines = rest.slice(-MAX_STACK).split('\n').slice(-MAX_FRAMES);
  const frames = lines.slice(lines.findLastIndex(line => !line.startsWith(FRAME)) + 1);
  const place = frames.find(line => !isUrl(line))?.trim();
  return place?.slice(0, MAX_PLACE) ?? UNKNOWN_PLACE;
}

const UNKNOWN_PLACE = 'at an unknown place';
const FRAME = '    at ';
/** In characters. */
const MAX_STACK = 10_000;
const MAX_PLACE = 300;
/** An engine writes ten. */
const MAX_FRAMES = 10;

/** Code is in files; another URL may be part of a message, with its credentials. */
const isUrl = (line: string): boolean => line.replace('file://', '').includes('://');

function field(error: unknown, name: 'cause' | 'message' | 'stack'): unknown {
  try {
    return (Object(error) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
