import { answerTasks } from '../../lib/worker-task';
import { unpackBundle } from './bundle';
import { CompiledPolicy, type PolicyImage } from './compiled-policy';

/** Passed to this thread. */
export interface BundleTask {
  /** Of the file. */
  readonly content: Uint8Array;
  readonly entrypoint: string;
}

answerTasks<BundleTask, PolicyImage>(
  async ({ content, entrypoint }) => {
    const { image } = await CompiledPolicy.compile(
      await unpackBundle(content),
      entrypoint,
    );
    return image;
  },
  ({ memory }) => [memory.buffer],
);
