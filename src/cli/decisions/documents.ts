/** The JSON values of a file: one per line among other lines, or indented ones of several lines. */
import { createReadStream } from 'node:fs';
import { CliError } from '../exit-code';

/** In characters; 500 recent decisions have some hundred thousand. */
const MAX_DOCUMENT = 64 * 1024 * 1024;

/** What a line, or several that belong together, contains. */
export type Document =
  { readonly kind: 'json'; readonly value: unknown } | { readonly kind: 'other' };

const OTHER: Document = { kind: 'other' };

/**
 * Reads a file piece by piece, whatever its size. A value of several lines begins with a line that
 * has nothing but a bracket, and ends with one, as the operations API and `jq` write it.
 *
 * @param path - relative to the working directory.
 * @throws CliError that says why it cannot be read.
 */
export async function* readDocuments(path: string): AsyncGenerator<Document> {
  let open:
    { readonly end: string; readonly lines: string[]; size: number } | undefined;
  for await (const line of linesOf(path)) {
    if (open) {
      open.lines.push(line);
      open.size += line.length;
      if (line !== open.end && open.size <= MAX_DOCUMENT) continue;
      yield* together(open.lines);
      open = undefined;
    } else if (line === '{' || line === '[') {
      open = { end: line === '{' ? '}' : ']', lines: [line], size: 1 };
    } else if (line.trim() !== '') {
      yield documentOf(line);
    }
  }
  if (open) yield* together(open.lines);
}

/** If it is no value, a bracket has begun something else, and each line is one of its own. */
function* together(lines: readonly string[]): Generator<Document> {
  const document = documentOf(lines.join('\n'));
  if (document.kind === 'json') yield document;
  else for (const line of lines) yield documentOf(line);
}

function documentOf(text: string): Document {
  if (!/^\s*[{[]/.test(text)) return OTHER;
  try {
    return { kind: 'json', value: JSON.parse(text) as unknown };
  } catch {
    return OTHER;
  }
}

/** `node:readline` does not pass on the errors of what it reads. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let begun: string[] = [];
  try {
    const chunks = createReadStream(path, { encoding: 'utf8' });
    for await (const chunk of chunks as AsyncIterable<string>) {
      const lines = chunk.split('\n');
      const rest = lines.pop()!;
      for (const [index, line] of lines.entries()) {
        yield withoutReturn(index === 0 ? begun.join('') + line : line);
      }
      if (lines.length > 0) begun = [];
      begun.push(rest);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? message);
    throw new CliError(`${path} cannot be read: ${why}`);
  }
  yield withoutReturn(begun.join(''));
}

const withoutReturn = (line: string): string =>
  line.endsWith('\r') ? line.slice(0, -1) : line;
