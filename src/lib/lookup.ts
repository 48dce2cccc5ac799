/**
 * `dns.lookup`, and whether it had a thread. Node.js looks up host names in the threads of libuv,
 * four by default, of which half at most are used for that. If all are taken, a lookup waits, and
 * that looks as if DNS were down.
 *
 * So with each lookup a probe asks for a thread too: it looks up `localhost`, which needs no
 * server. A probe that waits has found no thread.
 */
import { randomBytes } from 'node:crypto';
import { lookup as lookupInThread } from 'node:dns';
import type { LookupFunction } from 'node:net';

type Callback = Parameters<LookupFunction>[2];

/** Lookups of this process that are under way or wait, and who waits for them. */
const pending = new Map<string, Callback[]>();

/** Since when the probe waits. */
let since: number | undefined;
let sum = 0;

/**
 * Milliseconds for which no thread was free while this process looked up host names. The
 * difference of two readings is what lies between them.
 */
export const threadWait = (): number =>
  sum + (since === undefined ? 0 : performance.now() - since);

/**
 * Like `dns.lookup`, but looks up each name only once at a time: lookups that a silent DNS server
 * keeps waiting must not use up the threads, or the probe could not tell the two apart.
 */
export const lookup: LookupFunction = (hostname, options, callback) => {
  probe();
  const key = JSON.stringify([hostname, options]);
  const waiting = pending.get(key);
  if (waiting) {
    waiting.push(callback);
    return;
  }
  const callbacks = [callback];
  lookupInThread(hostname, options, (...result) => {
    pending.delete(key);
    for (const each of callbacks) each(...result);
  });
  pending.set(key, callbacks);
};

function probe(): void {
  if (since !== undefined) return;
  const start = performance.now();
  since = start;
  const end = (): void => {
    since = undefined;
    sum += performance.now() - start;
  };
  // Where our own lookups may hold all threads for lookups, any other thread shows more.
  if (pending.size < THREADS_FOR_LOOKUPS)
    lookupInThread('localhost', { family: 4 }, end);
  else randomBytes(1, end);
}

/** By the rule of libuv. */
const THREADS_FOR_LOOKUPS = Math.floor((threads() + 1) / 2);

function threads(): number {
  const { UV_THREADPOOL_SIZE: size } = process.env;
  return size === undefined
    ? 4
    : Math.min(Math.max(Math.trunc(Number(size)) || 1, 1), 1024);
}
