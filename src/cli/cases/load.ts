/** A test file with what it names: the lines of its cases, and its entities as the catalog has them. */
import { dirname, relative, resolve } from 'node:path';
import type { Entity } from '@backstage/catalog-model';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import type { Path } from '../../config/findings';
import { someNames } from '../../lib/bounded';
import { CliError, EXIT } from '../exit-code';
import { readTextFile } from '../files';
import { processed, readEntities, refOf } from '../local/entities';
import type { Surroundings } from './check';
import { readTestFile, TestFileError } from './read';
import { MAX_TEST_FILE_BYTES, type TestEntity, type TestFile } from './schema';

export interface LoadedFile {
  /** Relative to the working directory. */
  readonly path: string;
  readonly file: TestFile;
  /** As the catalog has them, by the name that the file gives them. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** Counted from 1. */
  lineOf(caseIndex: number): number;
}

/**
 * @param path - relative to the working directory.
 * @throws CliError if it cannot be read, or with every error in it and its place.
 */
export async function loadTestFile(
  path: string,
  surroundings: Surroundings,
): Promise<LoadedFile> {
  const text = readTextFile(path);
  if (Buffer.byteLength(text) > MAX_TEST_FILE_BYTES) {
    throw new CliError(
      `${path} is larger than ${MAX_TEST_FILE_BYTES} bytes; split it into several files`,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax) {
    const { line, col } = lines.linePos(syntax.pos[0]);
    // Of its message only what is wrong: the place is said, and the lines quoted, after it.
    const [what = ''] = syntax.message.split(/ at line \d+, column \d+/);
    throw new CliError(`${path}:${line}:${col}: this is not YAML: ${what}`, EXIT.found);
  }
  const placeOf = (keys: Path): string => {
    const { line, col } = lines.linePos(offsetOf(document, keys));
    return `${path}:${line}:${col}`;
  };
  const file = read(document, path, surroundings, placeOf);
  const entities = new Map<string, Entity>();
  for (const [name, written] of file.entities ?? []) {
    const where = placeOf(['entities', name]);
    entities.set(name, await processed(entityOf(written, dirname(path), where)));
  }
  return {
    path: relative(process.cwd(), resolve(path)),
    file,
    entities,
    lineOf: index => lines.linePos(offsetOf(document, ['cases', index])).line,
  };
}

function read(
  document: Document.Parsed,
  path: string,
  surroundings: Surroundings,
  placeOf: (keys: Path) => string,
): TestFile {
  try {
    return readTestFile(document.toJS(), surroundings);
  } catch (error) {
    if (!(error instanceof TestFileError)) {
      // Such as aliases that make a file of millions of values.
      throw new CliError(`${path}: ${(error as Error).message}`, EXIT.found);
    }
    const { problems, count } = error;
    const listed = problems.map(({ path: keys, message }) => {
      const place = placeOf(keysOf(keys));
      return `  ${place}: ${keys === '' ? '' : `${keys}: `}${message}`;
    });
    const errors = count === 1 ? '1 error' : `${count} errors`;
    throw new CliError(`${path} has ${errors}:\n${listed.join('\n')}`, EXIT.found);
  }
}

/** `cases[3].user` as keys. A name with a dot is cut there, which only moves the place a little up. */
const keysOf = (path: string): Path =>
  [...path.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([key, index]) =>
    index === undefined ? key : Number(index),
  );

/** Of the value, or of what is nearest to it. */
function offsetOf(document: Document.Parsed, keys: Path): number {
  for (let length = keys.length; length >= 0; length--) {
    const node =
      length === 0 ? document.contents : document.getIn(keys.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function entityOf(written: TestEntity, folder: string, where: string): Entity {
  if ('entity' in written) return written.entity as unknown as Entity;
  return entityIn(resolve(folder, written.file), written.ref, where);
}

/** Errors say who names the file: a test file has many. */
function entitiesOf(path: string, where: string): readonly Entity[] {
  try {
    return readEntities(path);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw new CliError(`${where}: ${error.message}`, error.exitCode);
  }
}

/**
 * The entity of a file, by its ref if it has several.
 *
 * @param where - what errors begin with.
 * @throws CliError if it is not there, or one has to be chosen.
 */
export function entityIn(path: string, ref: string | undefined, where: string): Entity {
  const shown = relative(process.cwd(), resolve(path));
  const found = entitiesOf(shown, where);
  const refs = found.map(refOf);
  if (ref === undefined) {
    const [only, second] = found;
    if (only && !second) return only;
    throw new CliError(
      `${where}: ${shown} has ${found.length} entities` +
        (only ? `; name one of them: '${shown}#${refs[0]}'` : ''),
    );
  }
  const entity = found[refs.indexOf(ref.toLocaleLowerCase('en-US'))];
  if (entity) return entity;
  throw new CliError(
    `${where}: ${shown} has no entity '${ref}'` +
      (refs.length > 0 ? `; it has ${someNames(refs)}` : ''),
  );
}
