/** Files that are read again when they change. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PassingProblem } from './last-good';
import {
  lookAt,
  readPlainFile,
  type Look,
  type PlainFile,
  type ReadLimits,
} from './plain-file';

/** How often the file's metadata is checked, in milliseconds. */
const POLL_INTERVAL = 500;

/** A writer may be halfway, so two looks this many milliseconds apart must agree. */
const SETTLE_INTERVAL = 50;
const SETTLE_ATTEMPTS = 20;

/** What a watch reports. */
export interface WatchObserver {
  /** The file has changed, is gone, is there again, or its metadata cannot be read any more. */
  readonly changed: () => void;
  /**
   * The file was unlinked, but is still at the path: it is a mount of this one file, so what was
   * put in its place is never seen. Reported once.
   */
  readonly stuck: () => void;
}

/** For the log, after the name of what is stuck. */
export const STUCK =
  'was replaced or deleted where it is stored, but is mounted here as a single file, so its ' +
  'changes can no longer be seen; mount the folder, not the file, and restart';

/** By absolute path. */
const watches = new Map<string, Watch>();

/**
 * Reports every change of the file, including its deletion and return. It polls what the path refers to, so that atomic renames and
 * the symlink swaps of Kubernetes ConfigMaps count as changes, also on network and bind mounts,
 * which deliver no events. Those that watch the same path share one poll. The watch does not keep
 * the process alive.
 *
 * @param path - relative to the working directory.
 * @returns a function that ends the watch.
 */
export function watchPath(path: string, observer: WatchObserver): () => void {
  const absolute = resolve(path);
  const watch = watches.get(absolute) ?? new Watch(absolute);
  watches.set(absolute, watch);
  // One of its own, because the same observer may watch twice.
  const listener: Listener = { observer, knowsItIsStuck: false };
  watch.listeners.add(listener);
  return () => {
    watch.listeners.delete(listener);
    if (watch.listeners.size > 0 || watches.get(absolute) !== watch) return;
    watch.end();
    watches.delete(absolute);
  };
}

interface Listener {
  readonly observer: WatchObserver;
  knowsItIsStuck: boolean;
}

/**
 * The poll of one path. Not `fs.watchFile`: its poll would hang beside a reading that hangs, and
 * take another of libuv's threads.
 */
class Watch {
  readonly listeners = new Set<Listener>();
  private readonly timer = setInterval(() => void this.poll(), POLL_INTERVAL).unref();
  private isPolling = false;
  /** Undefined before the first poll. Its version may be why it could not be looked at. */
  private last: Look | undefined;

  constructor(private readonly path: string) {
    void this.poll();
  }

  end(): void {
    clearInterval(this.timer);
  }

  private async poll(): Promise<void> {
    if (this.isPolling) return;
    this.isPolling = true;
    const now: Look = await lookAt(this.path).catch(({ message }: Error) => ({
      version: message,
      isUnlinked: false,
    }));
    this.isPolling = false;
    const { last } = this;
    this.last = now;
    const hasChanged = last !== undefined && last.version !== now.version;
    // One look alone may fall between finding a file and the renaming of another over it.
    const isStuck = last?.isUnlinked === true && now.isUnlinked;
    for (const listener of [...this.listeners]) {
      if (hasChanged) listener.observer.changed();
      if (!isStuck || listener.knowsItIsStuck) continue;
      listener.knowsItIsStuck = true;
      listener.observer.stuck();
    }
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
    if (before.version !== undefined && before.version === (await lookAt(path)).version)
      return before;
    const now = await readPlainFile(path, limits);
    if (now.content.equals(before.content)) return now;
    before = now;
  }
  throw new PassingProblem('keeps changing while it is being read');
}
