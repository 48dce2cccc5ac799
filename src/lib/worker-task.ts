/** The other side of `inWorker`. */
import { parentPort, workerData, type TransferListItem } from 'node:worker_threads';

export type WorkerMessage<Answer> =
  { readonly answer: Answer } | { readonly problem: string };

/**
 * Answers the task of this thread.
 *
 * @param answer - if it throws, the message of its error is the answer.
 * @param moved - the parts of the answer that are moved instead of copied.
 */
export async function answerTask<Task, Answer>(
  answer: (task: Task) => Answer | Promise<Answer>,
  moved: (answer: Answer) => readonly TransferListItem[] = () => [],
): Promise<void> {
  const post = (
    message: WorkerMessage<Answer>,
    list?: readonly TransferListItem[],
  ): void => parentPort?.postMessage(message, list);
  // Only messages leave the thread, and a parser may make an error for every character.
  Error.stackTraceLimit = 0;
  try {
    const result = await answer(workerData as Task);
    post({ answer: result }, moved(result));
  } catch (error) {
    post({ problem: error instanceof Error ? error.message : String(error) });
  }
}
