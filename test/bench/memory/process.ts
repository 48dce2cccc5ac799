/**
 * Makes decisions in one mode of the router, in a process of its own, and tells its parent how
 * much memory it needs:
 *
 *   node process.js <Task as JSON>
 */
import type { Sources } from '../authorize/contestants';
import { collectGarbage } from '../garbage';
import { startInProcess } from '../handle/contestants';
import { contestantOf } from '../handle/questions';

export interface Task {
  readonly sources: Sources;
  /** The id of a contestant. */
  readonly mode: string;
  /** Questions at once of one caller. */
  readonly items: number;
  readonly callers: number;
  readonly decisions: number;
  /** A sample after so many decisions. */
  readonly every: number;
}

/** After a garbage collection. */
export interface Sample {
  readonly decisions: number;
  /** Resident memory, in bytes: what the operating system gives the process. */
  readonly resident: number;
  /** What of it JavaScript objects and buffers use. */
  readonly inUse: number;
  /** Wrong decisions so far. */
  readonly wrong: number;
}

async function main(task: Task): Promise<void> {
  const { contestants, close } = await startInProcess(task.sources, [task.mode]);
  const contestant = contestantOf(contestants[0]!, 'distinct');
  let wrong = 0;
  for (let decisions = 0; decisions < task.decisions;) {
    const end = decisions + task.every;
    let asked = decisions;
    const caller = async (): Promise<void> => {
      while (asked < end) {
        asked += task.items;
        wrong += await contestant.ask(task.items);
        // As between requests, so that what is deferred is done.
        if (contestant.inProcess) await new Promise(done => setImmediate(done));
      }
    };
    await Promise.all(Array.from({ length: task.callers }, caller));
    decisions = end;
    collectGarbage();
    const { rss: resident, heapUsed, external } = process.memoryUsage();
    const sample: Sample = { decisions, resident, inUse: heapUsed + external, wrong };
    process.send!(sample);
  }
  await close();
}

main(JSON.parse(process.argv[2]!) as Task).then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
