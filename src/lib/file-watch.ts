/** Files that are read again when they change. */
import { readFile } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How often the file's metadata is checked, in milliseconds. */
const POLL_INTERVAL = 500;

/** A writer may be halfway, so two readings this many milliseconds apart must agree. */
const SETTLE_INTERVAL = 50;
const SETTLE_ATTEMPTS = 20;

/**
 * Calls `onChange` after every change of the file, including its deletion and return. It polls
 * what the path refers to, so that atomic renames and the symlink swaps of Kubernetes ConfigMaps
 * count as changes, also on network and bind mounts, which deliver no events. The watch does not
 * keep the process alive.
 *
 * @param path - relative to the working directory.
 * @returns a function that ends the watch.
 */
export function watchPath(path: string, onChange: () => void): () => void {
  const absolute = resolve(path);
  watchFile(absolute, { interval: POLL_INTERVAL, persistent: false }, onChange);
  return () => unwatchFile(absolute, onChange);
}

/**
 * The content of a file once it has stopped changing, that is, once two readings agree.
 *
 * @param path - relative to the working directory.
 * @throws Error whose message says what is wrong; the caller puts the configured path before it.
 */
export async function readSettled(path: string): Promise<Buffer> {
  let before = await read(path);
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
    await delay(SETTLE_INTERVAL);
    const now = await read(path);
    if (now.equals(before)) return now;
    before = now;
  }
  throw new Error('keeps changing while it is being read');
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
