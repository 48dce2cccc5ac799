/**
 * A clock that the test controls: no time passes while this process waits for the CPU, so nothing
 * is late by accident, and no test waits for a timeout to pass. Sockets, files and the event loop
 * work as usual.
 */

import { measureLoop, takeLoopForIdle } from './idle-loop';

/** Makes time pass only by `pass`; timers that already run continue. */
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
  // The guard measures how busy the process was; on a fake clock it was idle.
  takeLoopForIdle();
}

/** Lets this many milliseconds pass and runs all timers that end within them. */
export const pass = (milliseconds: number): Promise<void> =>
  jest.advanceTimersByTimeAsync(milliseconds);

/** Makes time pass by itself again. */
export const resumeClock = (): void => {
  measureLoop();
  jest.useRealTimers();
};
