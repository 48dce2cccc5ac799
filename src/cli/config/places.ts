/** Where in the files a value of the config is written. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
} from 'yaml';
import type { Path } from '../../config/findings';
import type { AppConfig } from './app-config';

/** Lines and columns are counted from 1. */
export interface Place {
  /** Relative to the working directory. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

interface ParsedFile {
  readonly path: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

interface Found {
  readonly file: ParsedFile;
  /** Of the key, or of the item of a list. */
  readonly offset: number;
  /** How many keys of the path exist. */
  readonly depth: number;
}

/** `config/routing.yaml:12:5`, as editors and terminals make a link of it. */
export const formatPlace = ({ file, line, column }: Place): string =>
  `${file}:${line}:${column}`;

/** Finds places; reads each file once. */
export class Places {
  private readonly parsed = new Map<string, ParsedFile | undefined>();

  constructor(private readonly appConfig: Pick<AppConfig, 'files'>) {}

  /** Of a value below `permission.policyRouter`, or of what is nearest to it. */
  inAppConfig(path: Path): Place | undefined {
    let best: Found | undefined;
    for (const { path: file } of this.appConfig.files) {
      const found = file && this.find(file, ['permission', 'policyRouter', ...path]);
      // The last file wins where several have the value.
      if (found && found.depth >= Math.max(best?.depth ?? 0, 1)) best = found;
    }
    return best && placeOf(best);
  }

  /** Of a value in a routing file, or of what is nearest to it. */
  inFile(file: string, path: Path): Place | undefined {
    const found = this.find(resolve(file), path);
    return found && placeOf(found);
  }

  private find(file: string, path: Path): Found | undefined {
    const parsed = this.parse(file);
    if (!parsed) return undefined;
    let node: Node | null = parsed.document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const [depth, key] of path.entries()) {
      const included = includedBy(node);
      if (included !== undefined) {
        const inside = this.find(resolve(dirname(file), included), path.slice(depth));
        return inside
          ? { ...inside, depth: inside.depth + depth }
          : { file: parsed, offset, depth };
      }
      const next = childOf(node, key);
      if (!next) return { file: parsed, offset, depth };
      node = next.value;
      offset = next.offset;
    }
    return { file: parsed, offset, depth: path.length };
  }

  private parse(path: string): ParsedFile | undefined {
    if (!this.parsed.has(path)) this.parsed.set(path, parseFile(path));
    return this.parsed.get(path);
  }
}

function parseFile(path: string): ParsedFile | undefined {
  if (!existsSync(path)) return undefined;
  const lines = new LineCounter();
  const text = readFileSync(path, 'utf8');
  return { path, lines, document: parseDocument(text, { lineCounter: lines }) };
}

interface Child {
  readonly value: Node | null;
  readonly offset: number;
}

function childOf(node: Node | null, key: string | number): Child | undefined {
  if (isSeq(node) && typeof key === 'number') {
    const item = node.items[key] as Node | undefined;
    return item && { value: item, offset: item.range?.[0] ?? 0 };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(
    each => isScalar(each.key) && String(each.key.value) === key,
  );
  if (!pair) return undefined;
  const offset = (pair.key as Node).range?.[0] ?? 0;
  return { value: pair.value as Node | null, offset };
}

/** The file that Backstage reads in place of the value; a part of a file is found as its whole. */
function includedBy(node: Node | null): string | undefined {
  if (!isMap(node) || node.items.length !== 1) return undefined;
  const value: unknown = node.get('$include');
  return typeof value === 'string' ? value.split('#')[0] : undefined;
}

function placeOf({ file, offset }: Found): Place {
  const { line, col } = file.lines.linePos(offset);
  return { file: relative(process.cwd(), file.path), line, column: col };
}
