/**
 * A clock that the test turns: no time passes while this process waits for its turn, so what is
 * not to be late cannot be, and what is to be late need not be waited for. Sockets, files and
 * the event loop go on as ever.
 */

/** From now on time passes only by `pass`; timers that run already are left to run. */
export function stopClock(): void {
  jest.useFakeTimers({
    doNotFake: [
      'hrtime',
      'nextTick',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
    ],
  });
  // The guard asks how busy the process was; on a false clock, not at all.
  performance.eventLoopUtilization = () => ({ idle: 1, active: 0, utilization: 0 });
}

/** Lets so many milliseconds pass, and all timers that end in them. */
export const pass = (milliseconds: number): Promise<void> =>
  jest.advanceTimersByTimeAsync(milliseconds);

/** Time passes by itself again. */
export const resumeClock = (): void => {
  jest.useRealTimers();
};
