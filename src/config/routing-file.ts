import { Lexer, parseDocument } from 'yaml';
import { readSettled } from '../lib/file-watch';
import { ConfigError } from './types';

/** In characters; a table of ten thousand routes has fewer. */
const MAX_CHARACTERS = 2 ** 20;
/** A table has five levels. The parser recurses, and Node.js may not survive a stack overflow. */
const MAX_DEPTH = 64;

/**
 * The content of a routing file: parsed YAML, not yet validated.
 *
 * @param path - as configured, relative to the working directory.
 * @throws ConfigError if it cannot be read or is not one YAML document.
 */
export async function readRoutingFile(path: string): Promise<unknown> {
  const text = await readText(path);
  const excess = excessOf(text);
  if (excess !== undefined) throw new ConfigError([{ path, message: excess }]);
  const document = parseDocument(text, { uniqueKeys: true });
  const [error] = document.errors;
  if (error) throw new ConfigError([{ path, message: firstLine(error.message) }]);
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw new ConfigError([{ path, message: firstLine((cause as Error).message) }]);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return (await readSettled(path)).toString('utf8');
  } catch (cause) {
    throw new ConfigError([{ path, message: (cause as Error).message }]);
  }
}

/** What is too large or too deep in the text, found without recursion. */
function excessOf(text: string): string | undefined {
  if (text.length > MAX_CHARACTERS) {
    return `is longer than ${MAX_CHARACTERS} characters`;
  }
  const tooDeep = `is nested deeper than ${MAX_DEPTH} levels`;
  // Each level of a block takes at least one character of indentation, or two on the same line.
  if (new RegExp(`^[ \\t?:-]{${2 * MAX_DEPTH + 1}}`, 'm').test(text)) return tooDeep;
  let depth = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    if (depth > MAX_DEPTH) return tooDeep;
  }
  return undefined;
}

const firstLine = (message: string): string =>
  (message.split('\n', 1)[0] ?? message).replace(/:$/, '');
