/** Why app-config cannot be read, with places; nothing of what the files contain is quoted. */
import { CliError } from '../exit-code';
import { formatPlace, fromHere, Places, type Place } from './places';
import { syntaxMessage, YamlFiles, type YamlFile } from './yaml-files';

export interface ReadingProblem {
  readonly place: Place | undefined;
  readonly message: string;
}

const NEXT =
  'Run the command in your Backstage repository, in the folder in which the backend runs, such as packages/backend; or name the files: --config <path>';

/** App-config that no backend could start with. */
export class UnreadableConfig extends CliError {
  constructor(readonly problems: readonly ReadingProblem[]) {
    const lines = problems.map(
      ({ place, message }) => `${place ? `${formatPlace(place)}: ` : ''}${message}`,
    );
    // Without a place, it is about which files are named.
    const next = problems.every(({ place }) => place) ? '' : `\n${NEXT}`;
    super(`The app-config cannot be read:\n${lines.join('\n')}${next}`);
  }

  /** Whether something in a file is wrong, and not which files are named. */
  get isInFiles(): boolean {
    return this.problems.every(({ place }) => place !== undefined);
  }
}

/**
 * @param error - of Backstage's loader.
 * @param source - of the loader, as text, which has the paths of all files.
 */
export function readingProblems(error: Error, source: string): ReadingProblem[] {
  const paths = [...source.matchAll(/FileConfigSource\{path="([^"]*)"\}/g)].map(
    ([, path = '']) => path,
  );
  const yaml = new YamlFiles();
  const wrong = paths.flatMap(path => syntaxProblems(path, yaml, new Set()));
  return wrong.length > 0 ? wrong : [problemOf(error)];
}

/** Of the file, and of those that it includes. */
function syntaxProblems(
  path: string,
  yaml: YamlFiles,
  seen: Set<string>,
): ReadingProblem[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const file = yaml.parse(path);
  if (!file) return [];
  const own = file.document.errors.map(error => ({
    place: placeIn(file, error.pos[0]),
    message: syntaxMessage(error),
  }));
  if (own.length > 0) return own;
  return yaml
    .allIncluded(file)
    .flatMap(included => syntaxProblems(included, yaml, seen));
}

function placeIn({ path, lines }: YamlFile, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file: fromHere(path), line, column: col };
}

/** What the loader says of a key: the file, the key and the message. */
const AT_KEY = /^Failed to read config file at "([^"]*)", (?:error at (\S*), )?([^]*)$/;

function problemOf({ name, message }: Error): ReadingProblem {
  const [, path, keys = '', said] = AT_KEY.exec(message) ?? [];
  // The parser quotes the line; the file is named by the message before it.
  const plain = (said ?? (name === 'YAMLParseError' ? 'a file is not YAML' : message))
    .replace(/^(failed to parse included file [^,]*), [^]*$/, '$1')
    .split('\n')[0]!;
  if (path === undefined) return { place: undefined, message: plain };
  const places = new Places({ files: [{ path, data: {}, context: '' }] });
  const place = places.ofKeys(keysOf(keys)) ?? {
    ...{ file: fromHere(path), line: 1, column: 1 },
  };
  const key = keys.replace(/^\./, '');
  return { place, message: key === '' ? plain : `${key}: ${plain}` };
}

/** Of `.permission.policyRouter.routes[3]`. */
const keysOf = (text: string): Array<string | number> =>
  [...text.matchAll(/\[(\d+)\]|\.?([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? key! : Number(index),
  );
