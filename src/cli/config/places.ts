/** Where in the files a value of the config is written. */
import { relative, resolve } from 'node:path';
import type { Path } from '../../config/findings';
import { isJsonObject } from '../../lib/json-object';
import type { ConfigFiles } from './config-files';
import { YamlFiles, type Followed } from './yaml-files';

/** In a file. Lines and columns are counted from 1. */
export interface FilePlace {
  /** Relative to the working directory. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A value of an environment variable such as `APP_CONFIG_permission_policyRouter_fallback`. */
export interface VariablePlace {
  readonly variable: string;
}

export type Place = FilePlace | VariablePlace;

/** `config/routing.yaml:12:5`, as editors and terminals make a link of it. */
export const formatPlace = (place: Place): string =>
  'variable' in place ? place.variable : `${place.file}:${place.line}:${place.column}`;

const ROOT = ['permission', 'policyRouter'];
const PREFIX = 'APP_CONFIG_';

/** Finds places; reads each file once. */
export class Places {
  constructor(
    private readonly appConfig: { readonly files: ConfigFiles },
    private readonly env: Readonly<Record<string, string | undefined>> = {},
    private readonly yaml = new YamlFiles(),
  ) {}

  /** Of a value below `permission.policyRouter`, or of what is nearest to it. */
  inAppConfig(path: Path): Place | undefined {
    return this.ofKeys([...ROOT, ...path]);
  }

  /** Of a value of the app-config, or of what is nearest to it. */
  ofKeys(keys: Path): Place | undefined {
    let best: { readonly place: Place; readonly depth: number } | undefined;
    // The last file wins where several have the value.
    for (const { path, data } of [...this.appConfig.files].reverse()) {
      const found =
        path === undefined ? inData(data, keys) : this.yaml.follow(path, keys);
      if (!found || found.depth <= (best?.depth ?? 0)) continue;
      const place = found.file
        ? placeOf(found)
        : this.variable(keys.slice(0, found.depth));
      if (place) best = { place, depth: found.depth };
      if (found.isWhole) break;
    }
    return best?.place;
  }

  /** Of a value in a routing file, or of what is nearest to it. */
  inFile(file: string, path: Path): Place | undefined {
    const found = this.yaml.follow(resolve(file), path);
    return found && placeOf(found);
  }

  /** The one that has the value, or what is around it. */
  private variable(keys: Path): VariablePlace | undefined {
    for (let length = keys.length; length > 0; length--) {
      const variable = `${PREFIX}${keys.slice(0, length).join('_')}`;
      if (this.env[variable]) return { variable };
    }
    return undefined;
  }
}

/** How far the path can be followed in a value without a file. */
function inData(
  data: unknown,
  keys: Path,
): Pick<Followed, 'depth' | 'isWhole'> & { readonly file?: undefined } {
  let value = data;
  let depth = 0;
  let isWhole = !isJsonObject(value);
  for (const key of keys) {
    const next: unknown =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined;
    if (next === undefined) break;
    value = next;
    depth++;
    isWhole ||= !isJsonObject(value);
  }
  return { depth, isWhole };
}

function placeOf({ file, offset }: Pick<Followed, 'file' | 'offset'>): FilePlace {
  const { line, col } = file.lines.linePos(offset);
  return { file: fromHere(file.path), line, column: col };
}

/** The path as people read it: relative to the working directory. */
export const fromHere = (path: string): string =>
  relative(process.cwd(), resolve(path));
