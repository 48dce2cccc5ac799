/**
 * Reads files at whose path anything may be: only plain ones, of limited size and in limited time.
 *
 * Reads run in the four threads that libuv has for files, DNS and cryptography together. One that
 * hangs, as on a file server that is gone, keeps its thread for as long as it hangs. So at most two
 * run at once, one for each path, and none begins while two hang.
 */
import { constants, type BigIntStats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import pLimit, { type LimitFunction } from 'p-limit';
import { inTime } from './in-time';
import { PassingProblem } from './last-good';

/** Milliseconds. */
const TIMEOUT = 10_000;
const MAX_AT_ONCE = 2;
/** Milliseconds; a younger file may change again without a change of its times. */
const YOUNG = 2_000;
/** A FIFO that takes the place of the file after the first look is opened without waiting. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export interface ReadLimits {
  /** A larger file is refused. */
  readonly maxBytes: number;
  /** Milliseconds for one reading; default 10,000. */
  readonly timeout?: number;
}

export interface PlainFile {
  readonly content: Buffer;
  /**
   * Equal to that of a later look if the file has not changed. Undefined if that cannot be known,
   * because the file is too young.
   */
  readonly version: string | undefined;
}

/**
 * The content of a plain file.
 *
 * @param path - relative to the working directory.
 * @throws Error whose message says what is wrong, to be put after the path; a `PassingProblem`
 *   unless the file is not a plain one or too large.
 */
export function readPlainFile(path: string, limits: ReadLimits): Promise<PlainFile> {
  const { maxBytes, timeout = TIMEOUT } = limits;
  return alone(resolve(path), timeout, async (absolute, isOver) => {
    requirePlain(await stat(absolute, { bigint: true }), maxBytes);
    const file = await open(absolute, FLAGS);
    try {
      const stats = await file.stat({ bigint: true });
      requirePlain(stats, maxBytes);
      const content = await contentOf(file, Number(stats.size), maxBytes, isOver);
      return { content, version: isYoung(stats) ? undefined : versionOf(stats) };
    } finally {
      await file.close();
    }
  });
}

/** What is at a path, without reading it. */
export interface Look {
  /** Equal to that of a later look if it has not changed. */
  readonly version: string;
  /**
   * Whether it has no name on its file system any more. It is then there only because it was
   * mounted by itself: whatever has taken its place since cannot be seen.
   */
  readonly isUnlinked: boolean;
}

/**
 * What is at the path now, of whatever kind it is.
 *
 * @param path - relative to the working directory.
 * @param timeout - milliseconds.
 * @throws PassingProblem as `readPlainFile`.
 */
export function lookAt(path: string, timeout = TIMEOUT): Promise<Look> {
  return alone(resolve(path), timeout, async absolute => {
    const stats = await stat(absolute, { bigint: true });
    return { version: versionOf(stats), isUnlinked: stats.nlink === 0n };
  });
}

const versionOf = ({ dev, ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, mode, size, mtimeNs, ctimeNs].join(':');

const isYoung = ({ mtimeMs, ctimeMs }: BigIntStats): boolean =>
  Date.now() - Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs) < YOUNG;

function requirePlain(stats: BigIntStats, maxBytes: number): void {
  if (!stats.isFile()) throw new Error(`is not a plain file (${kindOf(stats)})`);
  if (stats.size > maxBytes) throw tooLarge(maxBytes);
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

const tooLarge = (maxBytes: number): Error =>
  new Error(`is larger than ${maxBytes} bytes`);

/** Reads to the end: files of /proc have the size 0, and a file may grow meanwhile. */
async function contentOf(
  file: FileHandle,
  size: number,
  maxBytes: number,
  isOver: () => boolean,
): Promise<Buffer> {
  // One more byte than expected, so that the end is seen without another buffer.
  let buffer = Buffer.allocUnsafeSlow(size + 1);
  let length = 0;
  while (!isOver()) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
    if (length > maxBytes) throw tooLarge(maxBytes);
    if (length < buffer.length) continue;
    const larger = Buffer.allocUnsafeSlow(Math.min(2 * length + 4096, maxBytes + 1));
    buffer.copy(larger);
    buffer = larger;
  }
  throw new Error('nobody waits for it any more');
}

const slots = pLimit(MAX_AT_ONCE);
/** By absolute path, while something is read or waits there. */
const queues = new Map<string, LimitFunction>();
/** Paths whose reading has taken too long and has not ended yet. */
const hanging = new Set<string>();

/** Runs it in its turn, with a time limit that includes the wait. */
async function alone<T>(
  absolute: string,
  timeout: number,
  run: (absolute: string, isOver: () => boolean) => Promise<T>,
): Promise<T> {
  const late = (): Error =>
    new PassingProblem(`cannot be read: it takes longer than ${timeout / 1000} s`);
  if (hanging.has(absolute)) throw late();
  if (hanging.size >= MAX_AT_ONCE)
    throw new PassingProblem('cannot be read: reading other files takes too long');
  let isOver = false;
  const queue = queues.get(absolute) ?? pLimit(1);
  queues.set(absolute, queue);
  const running = queue(() =>
    slots(async () => {
      if (isOver) throw late();
      return await run(absolute, () => isOver);
    }),
  ).finally(() => {
    hanging.delete(absolute);
    if (queue.activeCount + queue.pendingCount === 0) queues.delete(absolute);
  });
  try {
    return await inTime(running, timeout, () => {
      isOver = true;
      hanging.add(absolute);
      return late();
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const problem =
      code === 'ENOENT'
        ? `does not exist (looked for ${absolute})`
        : `cannot be read (${code})`;
    throw new PassingProblem(problem, { cause: error });
  }
}
