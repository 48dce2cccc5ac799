import { isJsonObject } from '../lib/json-object';
import { CONFIG_PATH, type ConfigProblem } from './types';

/** A routing table in a file of its own. */
export interface RoutingFileContent {
  /** As written in the config; begins the paths of problems. */
  readonly path: string;
  readonly content: unknown;
}

/** The keys of a routing file, which app-config must not have as well. */
export const TABLE_KEYS = ['fallback', 'routes'] as const;

/** The `routingFile` of the config, if it is a valid path. */
export function routingFilePath(raw: unknown): string | undefined {
  const value = isJsonObject(raw) ? raw.routingFile : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The config as if the file's table were written in it. */
export function mergeRoutingFile(
  raw: unknown,
  { path, content }: RoutingFileContent,
): { merged: unknown; problems: ConfigProblem[] } {
  const keys = TABLE_KEYS.join(' and ');
  const problems: ConfigProblem[] = TABLE_KEYS.filter(
    key => isJsonObject(raw) && raw[key] !== undefined,
  ).map(key => ({
    path: `${CONFIG_PATH}.${key}`,
    message: `cannot be combined with routingFile, which contains ${keys}; keep one of the two`,
    at: { routingFile: undefined, keys: [key] },
  }));
  if (!isJsonObject(content)) {
    const is = content === null || content === undefined ? 'empty' : 'not an object';
    const message = `must contain ${keys}, but is ${is}`;
    problems.push({ path, message, at: { routingFile: path, keys: [] } });
    return { merged: raw, problems };
  }
  const unknownKeys = Object.keys(content).filter(
    key => !(TABLE_KEYS as readonly string[]).includes(key),
  );
  for (const key of unknownKeys) {
    const where = key === 'observe' ? '; observe all routes in app-config' : '';
    const message = `unknown key '${key}'; allowed: ${TABLE_KEYS.join(', ')}${where}`;
    problems.push({ path, message, at: { routingFile: path, keys: [key] } });
  }
  const { fallback, routes } = content;
  return { merged: { ...(raw as object), fallback, routes }, problems };
}
