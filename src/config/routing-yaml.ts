import { isScalar, Lexer, parseDocument, visit, type Document } from 'yaml';
import { oneLine } from '../lib/quote';

/** A table has five levels. The parser recurses, and Node.js may not survive a stack overflow. */
const MAX_DEPTH = 64;
/**
 * The parser needs about 500 bytes of memory for each word and each mark such as a bracket. A table
 * that fills the largest file has less.
 */
const MAX_TOKENS = 2 ** 19;
/** The parser looks for each alias in all anchors before it. */
const MAX_ALIASES = 1000;
/**
 * The values and the characters of their texts and keys, each value counted as eight; as often as
 * aliases repeat them. A table that fills the largest file without repeating itself has less.
 */
const MAX_WEIGHT = 2 ** 21;
const VALUE_WEIGHT = 8;

/**
 * The value of the YAML of a routing file, as JSON. It may take long and use much memory, so call
 * it in a worker.
 *
 * @throws Error whose message says in one line what is wrong, to be put after the file's path.
 */
export function routingYamlToJson(text: string): string {
  const excess = excessOf(text);
  if (excess !== undefined) throw new Error(excess);
  const document = parseDocument(text, {
    // An alias or a list as key could hide a route from a reader, and from the check for duplicates.
    stringKeys: true,
    // Compares each key with all others of its map; `duplicateOf` does not.
    uniqueKeys: false,
    // Copies the line of each error.
    prettyErrors: false,
  });
  const [error] = document.errors;
  if (error) {
    const message = MESSAGES[error.code] ?? oneLine(error.message);
    throw new Error(`${message}${placeOf(text, error.pos[0])}`);
  }
  const merge = mergeKeyOf(document);
  if (merge !== undefined) {
    const place = placeOf(text, merge);
    throw new Error(
      `has a merge key (<<), which is not supported: write the keys out${place}`,
    );
  }
  const duplicate = duplicateOf(document);
  if (duplicate !== undefined)
    throw new Error(`Map keys must be unique${placeOf(text, duplicate)}`);
  const value = valueOf(document);
  if (weightOf(value, new Map()) > MAX_WEIGHT)
    throw new Error('has too many values, counting those that aliases repeat');
  return JSON.stringify(value);
}

/** Those that the parser words for programmers. */
const MESSAGES: { readonly [code: string]: string } = {
  MULTIPLE_DOCS: "has a second YAML document after '---'; a routing file is only one",
  NON_STRING_KEY: 'a key must be written out: it cannot be an alias, a list or a map',
};

/** What is too large or too deep in the text, found without recursion. */
function excessOf(text: string): string | undefined {
  const tooDeep = `is nested deeper than ${MAX_DEPTH} levels`;
  // Each level of a block takes at least one character of indentation, or two on the same line.
  if (new RegExp(`^[ \\t?:-]{${2 * MAX_DEPTH + 1}}`, 'm').test(text)) return tooDeep;
  let tokens = 0;
  let depth = 0;
  let aliases = 0;
  let offset = 0;
  let isContent = false;
  for (const token of new Lexer().lex(text)) {
    tokens++;
    if (tokens > MAX_TOKENS) return `has more than ${MAX_TOKENS} words and marks`;
    if (isContent) {
      // The text of a scalar, which may look like anything.
      isContent = false;
    } else if (token === SCALAR_FOLLOWS) {
      isContent = true;
      tokens--;
      continue;
    } else if (MARKS.has(token)) {
      continue;
    } else if (token === '[' || token === '{') {
      depth++;
      if (depth > MAX_DEPTH) return tooDeep;
    } else if (token === ']' || token === '}') {
      depth--;
    } else if (token.startsWith('&') || token.startsWith('*')) {
      aliases++;
      if (aliases > MAX_ALIASES)
        return `has more than ${MAX_ALIASES} anchors and aliases`;
    } else if (token.startsWith('!')) {
      return `has a tag${placeOf(text, offset)}; a routing table needs none`;
    } else if (/^\s/.test(token)) {
      tokens--;
    }
    offset += token.length;
  }
  return undefined;
}

/** Tokens that are not in the text. */
const SCALAR_FOLLOWS = '\x1f';
/** The start of a document; the end of a flow collection that lacks its bracket. */
const MARKS: ReadonlySet<string> = new Set(['\x02', '\x18']);

function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return ` at line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

/** The offset of the first merge key of YAML 1.1, which would be an ordinary key here. */
function mergeKeyOf(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Pair(_key, { key }) {
      if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN')
        return undefined;
      found = key.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/** The offset of the first key that its map already has. */
function duplicateOf(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) {
          found = isScalar(key) ? key.range?.[0] : 0;
          return visit.BREAK;
        }
        seen.add(name);
      }
      return undefined;
    },
  });
  return found;
}

function valueOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new Error(oneLine((error as Error).message));
  }
}

/** @param known - of lists and objects; aliases repeat the same ones. */
function weightOf(value: unknown, known: Map<object, number>): number {
  if (typeof value === 'string') return VALUE_WEIGHT + value.length;
  if (typeof value !== 'object' || value === null) return VALUE_WEIGHT;
  const before = known.get(value);
  if (before !== undefined) return before;
  let weight = VALUE_WEIGHT;
  // What contains itself is endless.
  known.set(value, Infinity);
  for (const [key, item] of Object.entries(value))
    weight += weightOf(item, known) + (Array.isArray(value) ? 0 : key.length);
  known.set(value, weight);
  return weight;
}
