import { readFile } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseDocument } from 'yaml';
import { ConfigError } from './types';

/** How often the file's metadata is looked at, in milliseconds. */
const POLL_INTERVAL = 500;

/** Two readings this far apart (milliseconds) must agree: a writer may be half-way. */
const SETTLE_INTERVAL = 50;
const SETTLE_ATTEMPTS = 20;

/**
 * The content of a routing file: parsed YAML, not yet validated.
 *
 * @param path - as configured; it is taken from the working directory.
 * @throws ConfigError if it cannot be read or is not one YAML document.
 */
export async function readRoutingFile(path: string): Promise<unknown> {
  const document = parseDocument(await readSettled(path), { uniqueKeys: true });
  const [error] = document.errors;
  if (error) throw new ConfigError([{ path, message: firstLine(error.message) }]);
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw new ConfigError([{ path, message: firstLine((cause as Error).message) }]);
  }
}

async function readSettled(path: string): Promise<string> {
  let before = await readText(path);
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
    await delay(SETTLE_INTERVAL);
    const now = await readText(path);
    if (now === before) return now;
    before = now;
  }
  throw new ConfigError([{ path, message: 'is being written without a pause' }]);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(resolve(path), 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    const message =
      code === 'ENOENT'
        ? `does not exist (looked for ${resolve(path)})`
        : `cannot be read (${code})`;
    throw new ConfigError([{ path, message }]);
  }
}

const firstLine = (message: string): string =>
  (message.split('\n', 1)[0] ?? message).replace(/:$/, '');

/**
 * Calls `onChange` after every change of the file, deletion and return included. It looks at
 * what the path leads to now, so that atomic renames and the symlink swaps of Kubernetes
 * ConfigMaps count as changes, on network and bind mounts too, where events do not arrive.
 *
 * @returns a function that ends the watch.
 */
export function watchRoutingFile(path: string, onChange: () => void): () => void {
  watchFile(path, { interval: POLL_INTERVAL, persistent: false }, onChange);
  return () => unwatchFile(path, onChange);
}
