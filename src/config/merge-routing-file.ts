import { isJsonObject } from '../lib/json-object';
import { CONFIG_PATH, type ConfigProblem } from './types';

/** The routing table from a file of its own. */
export interface RoutingFileContent {
  /** As named in the config; stands in paths of problems. */
  readonly path: string;
  readonly content: unknown;
}

/** What a routing file holds, and app-config then must not. */
export const TABLE_KEYS = ['fallback', 'routes'] as const;

/** The `routingFile` named in the config, if it is there and may be read. */
export function routingFilePath(raw: unknown): string | undefined {
  const value = isJsonObject(raw) ? raw.routingFile : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The config as if the table of the file stood in it. */
export function mergeRoutingFile(
  raw: unknown,
  { path, content }: RoutingFileContent,
): { merged: unknown; problems: ConfigProblem[] } {
  const holds = TABLE_KEYS.join(' and ');
  const problems: ConfigProblem[] = TABLE_KEYS.filter(
    key => isJsonObject(raw) && raw[key] !== undefined,
  ).map(key => ({
    path: `${CONFIG_PATH}.${key}`,
    message: `stands beside routingFile, which holds ${holds}; keep one of them`,
  }));
  if (!isJsonObject(content)) {
    const is = content === null || content === undefined ? 'empty' : 'no object';
    problems.push({ path, message: `must hold ${holds}, but is ${is}` });
    return { merged: raw, problems };
  }
  const strangers = Object.keys(content).filter(
    key => !(TABLE_KEYS as readonly string[]).includes(key),
  );
  for (const key of strangers) {
    const message = `unknown key '${key}'; allowed: ${TABLE_KEYS.join(', ')}`;
    problems.push({ path, message });
  }
  const { fallback, routes } = content;
  return { merged: { ...(raw as object), fallback, routes }, problems };
}
