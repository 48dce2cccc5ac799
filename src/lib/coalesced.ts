/**
 * Makes a slow task safe to trigger at any time: runs never overlap, and any number of triggers
 * during a run cause exactly one more run after it.
 *
 * @param run - reports its own errors; if it throws or rejects all the same, only that run ends.
 */
export function coalesced(run: () => Promise<void>): () => void {
  let running = false;
  let triggered = false;
  const runWhileTriggered = async (): Promise<void> => {
    running = true;
    while (triggered) {
      triggered = false;
      try {
        await run();
      } catch {
        // Nobody waits for a run, so nobody could handle this. The next trigger must still work.
      }
    }
    running = false;
  };
  return () => {
    triggered = true;
    if (!running) void runWhileTriggered();
  };
}
