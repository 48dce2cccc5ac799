/** Files that are read again when they change: what is at a path now, and when to look. */
import { readFile } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { coalesced } from './coalesced';

/** How often the file's metadata is looked at, in milliseconds. */
const POLL_INTERVAL = 500;

/** Two readings this far apart (milliseconds) must agree: a writer may be half-way. */
const SETTLE_INTERVAL = 50;
const SETTLE_ATTEMPTS = 20;

/**
 * Calls `onChange` after every change of the file, deletion and return included. It looks at
 * what the path leads to now, so that atomic renames and the symlink swaps of Kubernetes
 * ConfigMaps count as changes, on network and bind mounts too, where events do not arrive.
 * The watch keeps no process alive.
 *
 * @param path - taken from the working directory.
 * @returns a function that ends the watch.
 */
export function watchPath(path: string, onChange: () => void): () => void {
  const absolute = resolve(path);
  watchFile(absolute, { interval: POLL_INTERVAL, persistent: false }, onChange);
  return () => unwatchFile(absolute, onChange);
}

/**
 * Calls `look` at once, for what has changed before the watch began, and again after every
 * change of the file; one call after the other, and no new one once it has ended.
 *
 * @param look - must not reject.
 * @returns a function that ends it.
 */
export function followFile(path: string, look: () => Promise<void>): () => void {
  let ended = false;
  const onChange = coalesced(async () => {
    if (!ended) await look();
  });
  const endWatch = watchPath(path, onChange);
  onChange();
  return () => {
    ended = true;
    endWatch();
  };
}

/**
 * The content of a file once nobody is writing it: two readings agree.
 *
 * @param path - taken from the working directory.
 * @throws Error that says what is wrong with the file, without its path as configured.
 */
export async function readSettled(path: string): Promise<Buffer> {
  let before = await read(path);
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
    await delay(SETTLE_INTERVAL);
    const now = await read(path);
    if (now.equals(before)) return now;
    before = now;
  }
  throw new Error('is being written without a pause');
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(resolve(path));
  } catch (error) {
    const { code } = error as { code?: string };
    throw new Error(
      code === 'ENOENT'
        ? `does not exist (looked for ${resolve(path)})`
        : `cannot be read (${code})`,
      { cause: error },
    );
  }
}
