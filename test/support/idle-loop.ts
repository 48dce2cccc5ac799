/**
 * Takes this process for idle during the tests of this file or `describe`. A machine that is busy
 * with other things makes the router say STALLED where it would say TIMEOUT, and rightly so.
 */
export function assumeIdleLoop(): void {
  beforeEach(() => {
    Object.defineProperty(performance, 'eventLoopUtilization', {
      configurable: true,
      value: () => ({ idle: 1, active: 0, utilization: 0 }),
    });
  });
  afterEach(measureLoop);
}

/** Ends what `assumeIdleLoop` began. */
export function measureLoop(): void {
  Reflect.deleteProperty(performance, 'eventLoopUtilization');
}
