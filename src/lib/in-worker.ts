/**
 * Tasks in threads of their own, with limits: what is slow, endless or large there stops nothing
 * else. A thread is used again by tasks of the same script that follow at once, since its start
 * takes longer than most tasks; after a failure, and when there is nothing to do, it is ended.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import { errorName } from './foreign-error';
import { inTime } from './in-time';
import type { WorkerMessage } from './worker-task';

export interface WorkerLimits {
  /** Milliseconds, the start of the thread included (usually below 100). */
  readonly timeout: number;
  /**
   * JavaScript heap of the thread, in MiB. A last resort, to be far above what a task needs: V8 may
   * end the whole process instead of the thread.
   */
  readonly heap: number;
}

/** The task was not finished, because of a limit or because the thread could not be used. */
export class WorkerFailure extends Error {
  constructor(
    readonly reason: 'time' | 'memory' | 'thread',
    message: string,
  ) {
    super(message);
  }
}

/** Milliseconds until a thread that has nothing to do is ended. */
const IDLE = 1000;

/** More threads at once would only take the CPU from each other, and from everything else. */
const threads = pLimit(2);

/**
 * MiB of the heap for young objects. When the heap is full, Node.js grants 16 MiB more and ends the
 * thread. If more than that is still alive among the young ones, V8 ends the process: on Node.js 24
 * in one of four runs with the default, in none of four with this.
 */
const YOUNG_HEAP = 8;

/**
 * In `dist` a script is JavaScript. From the source, as in tests, tsx compiles it. It is a file
 * rather than text for `eval`, so that it is typed, linted and can import others.
 */
const EXTENSION = extname(__filename);
const EXEC_ARGV = EXTENSION === '.ts' ? ['--require', require.resolve('tsx/cjs')] : [];

/**
 * What the script answers to the task. At most two scripts run at once; others wait.
 *
 * @param script - its absolute path without extension; it calls `answerTask`.
 * @param task - is copied.
 * @throws WorkerFailure if there is no answer; an Error with the message of what the script threw.
 */
export const inWorker = <Answer>(
  script: string,
  task: unknown,
  limits: WorkerLimits,
): Promise<Answer> => threads(() => run(script, task, limits));

async function run<Answer>(
  script: string,
  task: unknown,
  { timeout, heap }: WorkerLimits,
): Promise<Answer> {
  const kind = `${heap} ${script}`;
  const worker = takeIdle(kind) ?? start(kind, script, heap);
  let message: WorkerMessage<Answer>;
  try {
    message = await inTime(
      answerOf<Answer>(worker, task, heap),
      timeout,
      () => new WorkerFailure('time', `takes longer than ${timeout / 1000} s`),
    );
  } catch (error) {
    void worker.terminate();
    throw error;
  }
  keepIdle(kind, worker);
  if ('problem' in message) throw new Error(message.problem);
  return message.answer;
}

function start(kind: string, script: string, heap: number): Worker {
  try {
    const worker = new Worker(script + EXTENSION, {
      // Neither secrets of the environment, nor what the backend's own options would load.
      env: {},
      execArgv: EXEC_ARGV,
      resourceLimits: {
        maxOldGenerationSizeMb: heap,
        maxYoungGenerationSizeMb: YOUNG_HEAP,
      },
    });
    // A failure between two tasks only ends the thread; without a listener it would end the process.
    worker.on('error', () => {});
    worker.on('exit', () => idle.get(kind)?.delete(worker));
    return worker;
  } catch (error) {
    throw unusable(error);
  }
}

/** The threads that have nothing to do, by script and heap, each with the timer that ends it. */
const idle = new Map<string, Map<Worker, NodeJS.Timeout>>();

function takeIdle(kind: string): Worker | undefined {
  const workers = idle.get(kind);
  const [entry] = workers ?? [];
  if (!entry) return undefined;
  const [worker, timer] = entry;
  clearTimeout(timer);
  workers?.delete(worker);
  worker.ref();
  return worker;
}

/** From now on it keeps no process alive. */
function keepIdle(kind: string, worker: Worker): void {
  worker.unref();
  const workers = idle.get(kind) ?? new Map<Worker, NodeJS.Timeout>();
  idle.set(kind, workers);
  const end = (): void => {
    workers.delete(worker);
    void worker.terminate();
  };
  workers.set(worker, setTimeout(end, IDLE).unref());
}

function answerOf<Answer>(
  worker: Worker,
  task: unknown,
  heap: number,
): Promise<WorkerMessage<Answer>> {
  const done = new AbortController();
  const answer = new Promise<WorkerMessage<Answer>>((resolve, reject) => {
    const listen = <Event>(name: string, listener: (event: Event) => void): void => {
      worker.on(name, listener);
      done.signal.addEventListener('abort', () => worker.off(name, listener));
    };
    listen('message', resolve);
    listen('messageerror', error => reject(unusable(error)));
    listen('error', error =>
      reject(
        errorName(error) === 'ERR_WORKER_OUT_OF_MEMORY'
          ? new WorkerFailure('memory', `needs more than ${heap} MiB of memory`)
          : unusable(error),
      ),
    );
    listen('exit', code =>
      reject(new WorkerFailure('thread', `its thread ended with code ${String(code)}`)),
    );
    worker.postMessage(task);
  });
  return answer.finally(() => done.abort());
}

const unusable = (error: unknown): WorkerFailure =>
  new WorkerFailure('thread', `its thread failed (${errorName(error)})`);
