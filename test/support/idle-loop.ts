/**
 * Takes this process for idle during the tests of this file or `describe`. A machine that is busy
 * with other things makes the router say STALLED where it would say TIMEOUT, and rightly so.
 */
export function assumeIdleLoop(): void {
  beforeEach(takeLoopForIdle);
  afterEach(measureLoop);
}

/** The same from now on, for what goes on between tests, too. */
export function takeLoopForIdle(): void {
  Object.defineProperty(performance, 'eventLoopUtilization', {
    configurable: true,
    value: () => ({ idle: 1, active: 0, utilization: 0 }),
  });
}

/** Ends what the others began. */
export function measureLoop(): void {
  Reflect.deleteProperty(performance, 'eventLoopUtilization');
}
