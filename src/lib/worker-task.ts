/** The other side of `inWorker`. */
import { parentPort, type TransferListItem } from 'node:worker_threads';

export type WorkerMessage<Answer> =
  { readonly answer: Answer } | { readonly problem: string };

/**
 * Answers the tasks of this thread, one by one.
 *
 * @param answer - if it throws, the message of its error is the answer.
 * @param moved - the parts of the answer that are moved instead of copied.
 */
export function answerTasks<Task, Answer>(
  answer: (task: Task) => Answer | Promise<Answer>,
  moved: (answer: Answer) => readonly TransferListItem[] = () => [],
): void {
  const post = (
    message: WorkerMessage<Answer>,
    list?: readonly TransferListItem[],
  ): void => parentPort?.postMessage(message, list);
  const handle = async (task: Task): Promise<void> => {
    try {
      const result = await answer(task);
      post({ answer: result }, moved(result));
    } catch (error) {
      post({ problem: error instanceof Error ? error.message : String(error) });
    }
  };
  parentPort?.on('message', (task: Task) => void handle(task));
}
