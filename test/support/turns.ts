/** How often the event loop turns from now on, as other work in the process sees it. */
export function countTurns(): { stop(): number } {
  let turns = 0;
  let counting: NodeJS.Immediate;
  const next = (): void => {
    counting = setImmediate(() => {
      turns++;
      next();
    });
  };
  next();
  return {
    stop: () => {
      clearImmediate(counting);
      return turns;
    },
  };
}

/**
 * Counts the turns of the event loop while the task runs. If something holds the loop all the time
 * there are next to none.
 */
export async function turnsDuring(task: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await task.catch(() => {});
  isOver = true;
  return turns;
}
