/**
 * Makes what runs for long safe to trigger at any time: one run after the other, and however
 * often it was triggered during a run, one more after that.
 *
 * @param run - must not reject.
 */
export function coalesced(run: () => Promise<void>): () => void {
  let running = false;
  let triggered = false;
  const runWhileTriggered = async (): Promise<void> => {
    running = true;
    while (triggered) {
      triggered = false;
      await run();
    }
    running = false;
  };
  return () => {
    triggered = true;
    if (!running) void runWhileTriggered();
  };
}
