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
