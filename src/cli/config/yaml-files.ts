/** The YAML files of a config, as they are written: with places, and before anything is put in. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLParseError,
} from 'yaml';
import type { Path } from '../../config/findings';

export interface YamlFile {
  readonly path: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** How far a path can be followed. */
export interface Followed {
  /** The file of the last key that was found; another one after an `$include`. */
  readonly file: YamlFile;
  /** Of this key, or of the item of a list. */
  readonly offset: number;
  /** How many keys of the path exist. */
  readonly depth: number;
  /** The value of the last key that was found. */
  readonly node: Node | null;
  /** Whether nothing of an earlier file is merged into it: it is no map, or inside of a list. */
  readonly isWhole: boolean;
}

/** Reads each file once. */
export class YamlFiles {
  private readonly files = new Map<string, YamlFile | undefined>();

  /** Undefined if there is no such file, or if it cannot be read. */
  parse(path: string): YamlFile | undefined {
    if (!this.files.has(path)) this.files.set(path, parseFile(path));
    return this.files.get(path);
  }

  /**
   * Follows the path in this file, and in those that it includes.
   *
   * @param includes - how many led to this file.
   */
  follow(path: string, keys: Path, includes = 0): Followed | undefined {
    const file = this.parse(path);
    if (!file) return undefined;
    const node = file.document.contents;
    return this.inside({ file, node, offset: node?.range?.[0] ?? 0 }, keys, includes);
  }

  /** What an `$include` puts in the place of the node. Undefined if the node is not an `$include`. */
  included(
    { path }: YamlFile,
    node: Node | null,
  ): { readonly path: string; readonly keys: readonly string[] } | undefined {
    const value = directiveOf(node, '$include');
    if (value === undefined) return undefined;
    const [name = '', part] = value.split(/#(.*)/);
    const keys = part === undefined || part === '' ? [] : part.split('.');
    return { path: resolve(dirname(path), name), keys };
  }

  /** The paths of all files that the file includes. */
  allIncluded(file: YamlFile): string[] {
    const paths: string[] = [];
    visit(file.document, {
      Map: (_key, node) => {
        const included = this.included(file, node);
        if (included) paths.push(included.path);
      },
    });
    return paths;
  }

  private inside(
    start: Pick<Followed, 'file' | 'node' | 'offset'>,
    keys: Path,
    includes: number,
  ): Followed {
    const { file } = start;
    let { node, offset } = start;
    let isWhole = false;
    for (let depth = 0; ; depth++) {
      node = isAlias(node) ? (node.resolve(file.document) ?? null) : node;
      const included = this.includedOnce(file, node, includes);
      if (included) {
        const rest = this.inside(included, keys.slice(depth), includes + 1);
        // Of what is missing in there, the nearest place is the beginning of its file.
        return { ...rest, depth: rest.depth + depth, isWhole: isWhole || rest.isWhole };
      }
      isWhole ||= !isMap(node);
      const key = keys[depth];
      const next = key === undefined ? undefined : childOf(node, key);
      if (!next) return { file, node, offset, depth, isWhole };
      ({ node, offset } = next);
    }
  }

  private includedOnce(
    file: YamlFile,
    node: Node | null,
    includes: number,
  ): Pick<Followed, 'file' | 'node' | 'offset'> | undefined {
    const included = this.included(file, node);
    if (!included || includes >= MAX_INCLUDES) return undefined;
    const found = this.follow(included.path, included.keys, includes + 1);
    return found?.depth === included.keys.length ? found : undefined;
  }
}

/** A file that includes itself is refused by Backstage; it must not end us before. */
const MAX_INCLUDES = 20;

/** The text at this key, if the node is a map of nothing else. */
export function directiveOf(node: Node | null, key: string): string | undefined {
  if (!isMap(node) || node.items.length !== 1) return undefined;
  const value: unknown = node.get(key);
  return typeof value === 'string' ? value : undefined;
}

function parseFile(path: string): YamlFile | undefined {
  if (!existsSync(path)) return undefined;
  const lines = new LineCounter();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  // A pretty error quotes the line, which may have a secret.
  const options = { lineCounter: lines, prettyErrors: false };
  return { path, lines, document: parseDocument(text, options) };
}

interface Child {
  readonly node: Node | null;
  readonly offset: number;
}

function childOf(node: Node | null, key: string | number): Child | undefined {
  if (isSeq(node)) {
    const item = typeof key === 'number' ? (node.items[key] as Node) : undefined;
    return item && { node: item, offset: item.range?.[0] ?? 0 };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(
    each => isScalar(each.key) && String(each.key.value) === String(key),
  );
  if (!pair) return undefined;
  const offset = (pair.key as Node).range?.[0] ?? 0;
  return { node: pair.value as Node | null, offset };
}

/** Those whose message quotes the file, which may have a secret at this place. */
const QUOTING: Readonly<Record<string, string>> = {
  BAD_ALIAS:
    'an alias (*) without an anchor (&) before it; a text that begins with * needs quotes',
  BAD_DIRECTIVE: 'a line that begins with % is a directive; the text needs quotes',
  BAD_DQ_ESCAPE:
    'a backslash in double quotes that YAML does not know; use single quotes',
  TAG_RESOLVE_FAILED: 'an unknown tag (!); a text that begins with ! needs quotes',
  UNEXPECTED_TOKEN:
    'unexpected text; check the quotes, brackets and indentation before it',
};

/** What is wrong, without quoting the file. */
export const syntaxMessage = ({ code, message }: YAMLParseError): string =>
  `this is not YAML: ${QUOTING[code] ?? message}`;
