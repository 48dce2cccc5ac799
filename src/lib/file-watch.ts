/** Files that are read again when they change. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PassingProblem } from './last-good';
import { lookAt, readPlainFile, type PlainFile, type ReadLimits } from './plain-file';

/** How often the file's metadata is checked, in milliseconds. */
const POLL_INTERVAL = 500;

/** A writer may be halfway, so two looks this many milliseconds apart must agree. */
const SETTLE_INTERVAL = 50;
const SETTLE_ATTEMPTS = 20;

/** By absolute path. */
const watches = new Map<string, Watch>();

/**
 * Calls `onChange` after every change of the file, including its deletion and return, and when its
 * metadata cannot be read any more. It polls what the path refers to, so that atomic renames and
 * the symlink swaps of Kubernetes ConfigMaps count as changes, also on network and bind mounts,
 * which deliver no events. Those that watch the same path share one poll. The watch does not keep
 * the process alive.
 *
 * @param path - relative to the working directory.
 * @returns a function that ends the watch.
 */
export function watchPath(path: string, onChange: () => void): () => void {
  const absolute = resolve(path);
  const watch = watches.get(absolute) ?? new Watch(absolute);
  watches.set(absolute, watch);
  // One of its own, because the same function may watch twice.
  const listener = (): void => onChange();
  watch.listeners.add(listener);
  return () => {
    watch.listeners.delete(listener);
    if (watch.listeners.size > 0 || watches.get(absolute) !== watch) return;
    watch.end();
    watches.delete(absolute);
  };
}

/**
 * The poll of one path. Not `fs.watchFile`: its poll would hang beside a reading that hangs, and
 * take another of libuv's threads.
 */
class Watch {
  readonly listeners = new Set<() => void>();
  private readonly timer = setInterval(() => void this.poll(), POLL_INTERVAL).unref();
  private isPolling = false;
  /** The version, or why it could not be read. Undefined before the first poll. */
  private last: string | undefined;

  constructor(private readonly path: string) {
    void this.poll();
  }

  end(): void {
    clearInterval(this.timer);
  }

  private async poll(): Promise<void> {
    if (this.isPolling) return;
    this.isPolling = true;
    const now = await lookAt(this.path).catch((error: Error) => error.message);
    this.isPolling = false;
    const hasChanged = this.last !== undefined && this.last !== now;
    this.last = now;
    if (hasChanged) for (const listener of [...this.listeners]) listener();
  }
}

/**
 * A file once it has stopped changing: two readings agree, or its metadata say that it has not
 * changed for a while.
 *
 * @param path - relative to the working directory.
 * @throws as `readPlainFile`; also a `PassingProblem` if the file keeps changing.
 */
export async function readSettled(
  path: string,
  limits: ReadLimits,
): Promise<PlainFile> {
  let before = await readPlainFile(path, limits);
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
    await delay(SETTLE_INTERVAL);
    if (before.version !== undefined && before.version === (await lookAt(path)))
      return before;
    const now = await readPlainFile(path, limits);
    if (now.content.equals(before.content)) return now;
    before = now;
  }
  throw new PassingProblem('keeps changing while it is being read');
}
