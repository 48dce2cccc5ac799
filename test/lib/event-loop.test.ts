/** What counts as a time in which the process could not run. */
import { setTimeout as delay } from 'node:timers/promises';
import { EventLoop } from '../../src/lib/event-loop';

/** Holds the event loop, as a long task does. */
function hold(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe('on a clock of its own', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** So much time passes at once, and no timer runs until its end. */
  const freeze = (milliseconds: number): void => {
    const end = performance.now() + milliseconds;
    jest.spyOn(performance, 'now').mockReturnValue(end);
  };

  it('is watched only while it was asked to, by one timer', () => {
    const loop = new EventLoop();
    expect(jest.getTimerCount()).toBe(0);
    loop.watch(500);
    loop.watch(100);
    loop.watch(1000);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(1000);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(20);
    expect(jest.getTimerCount()).toBe(0);
    loop.watch(100);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(200);
    expect([loop.blocked, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('was not blocked while timers come in time, however long that goes on', async () => {
    const loop = new EventLoop();
    loop.watch(10_000);
    jest.advanceTimersByTime(3000);
    await jest.advanceTimersByTimeAsync(3000);
    expect(loop.blocked).toBe(0);
  });

  it('is blocked from the tick that did not come, also before the next one', () => {
    const loop = new EventLoop();
    loop.watch(10_000);
    jest.advanceTimersByTime(100);
    freeze(500);
    expect(loop.blocked).toBe(500);
  });

  it('was not blocked by the time that it was not watched', () => {
    const loop = new EventLoop();
    loop.watch(10);
    jest.advanceTimersByTime(60_000);
    expect(loop.blocked).toBe(0);
    loop.watch(10);
    expect(loop.blocked).toBe(0);
  });

  it('keeps what was measured when nobody watches any more', () => {
    const loop = new EventLoop();
    loop.watch(100);
    freeze(500);
    jest.advanceTimersToNextTimer();
    expect(jest.getTimerCount()).toBe(0);
    expect(loop.blocked).toBe(500);
  });
});

describe('in real time', () => {
  // What is measured of a task is never too short.
  it('is blocked by a long task, which is measured during it and after it', async () => {
    const loop = new EventLoop();
    loop.watch(2000);
    const before = loop.blocked;
    hold(300);
    expect(loop.blocked - before).toBeGreaterThanOrEqual(280);
    await delay(50);
    const after = loop.blocked - before;
    expect(after).toBeGreaterThanOrEqual(280);
    hold(300);
    await delay(50);
    expect(loop.blocked - before - after).toBeGreaterThanOrEqual(280);
  });
});
