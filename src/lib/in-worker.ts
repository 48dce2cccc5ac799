/**
 * One task in a thread of its own, with limits: what is slow, endless or large there stops nothing
 * else. The thread is ended after the task.
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
  const worker = start(script, task, heap);
  try {
    return await inTime(
      answerOf<Answer>(worker, heap),
      timeout,
      () => new WorkerFailure('time', `takes longer than ${timeout / 1000} s`),
    );
  } finally {
    void worker.terminate();
  }
}

function start(script: string, workerData: unknown, heap: number): Worker {
  try {
    return new Worker(script + EXTENSION, {
      workerData,
      // Neither secrets of the environment, nor what the backend's own options would load.
      env: {},
      execArgv: EXEC_ARGV,
      resourceLimits: {
        maxOldGenerationSizeMb: heap,
        maxYoungGenerationSizeMb: YOUNG_HEAP,
      },
    });
  } catch (error) {
    throw unusable(error);
  }
}

function answerOf<Answer>(worker: Worker, heap: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: WorkerMessage<Answer>) => {
      if ('problem' in message) reject(new Error(message.problem));
      else resolve(message.answer);
    });
    worker.on('messageerror', error => reject(unusable(error)));
    worker.on('error', error =>
      reject(
        errorName(error) === 'ERR_WORKER_OUT_OF_MEMORY'
          ? new WorkerFailure('memory', `needs more than ${heap} MiB of memory`)
          : unusable(error),
      ),
    );
    worker.on('exit', code =>
      reject(new WorkerFailure('thread', `its thread ended with code ${code}`)),
    );
  });
}

const unusable = (error: unknown): WorkerFailure =>
  new WorkerFailure('thread', `its thread failed (${errorName(error)})`);
