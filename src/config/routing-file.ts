import { parseDocument } from 'yaml';
import { readSettled, watchPath } from '../file-watch';
import { ConfigError } from './types';

/**
 * The content of a routing file: parsed YAML, not yet validated.
 *
 * @param path - as configured; it is taken from the working directory.
 * @throws ConfigError if it cannot be read or is not one YAML document.
 */
export async function readRoutingFile(path: string): Promise<unknown> {
  const document = parseDocument(await readText(path), { uniqueKeys: true });
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

const firstLine = (message: string): string =>
  (message.split('\n', 1)[0] ?? message).replace(/:$/, '');

/** Calls `onChange` after every change of the file, see `watchPath`; returns the end of it. */
export const watchRoutingFile = watchPath;
