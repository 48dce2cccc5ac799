import { eventLoop } from '../../src/lib/event-loop';

/**
 * Treats this process as idle during the tests of this file or `describe`. On a busy machine the
 * router would correctly report STALLED instead of an outage.
 */
export function assumeIdleLoop(): void {
  beforeEach(takeLoopForIdle);
  afterEach(measureLoop);
}

/** The same from now on, including between tests. */
export function takeLoopForIdle(): void {
  Object.defineProperty(performance, 'eventLoopUtilization', {
    configurable: true,
    writable: true,
    value: () => ({ idle: 1, active: 0, utilization: 0 }),
  });
  Object.defineProperties(eventLoop, {
    watch: { configurable: true, value: () => {} },
    blocked: { configurable: true, value: 0 },
  });
}

/** Undoes `takeLoopForIdle`. */
export function measureLoop(): void {
  Reflect.deleteProperty(performance, 'eventLoopUtilization');
  Reflect.deleteProperty(eventLoop, 'watch');
  Reflect.deleteProperty(eventLoop, 'blocked');
}
