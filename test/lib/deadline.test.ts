/** The time of a decision, and of what is waited for in it; on a clock that the test turns. */
import { once } from 'node:events';
import { createServer, connect, type AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Deadline, settleWithin } from '../../src/lib/deadline';
import { pass, resumeClock, stopClock } from '../support/clock';

beforeEach(() => stopClock());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

describe('a deadline', () => {
  it('has less and less time left, and never less than zero', async () => {
    const deadline = new Deadline(100);
    expect(deadline.remaining()).toBe(100);
    await pass(99);
    expect(deadline.remaining()).toBeCloseTo(1);
    await pass(1);
    expect(deadline.remaining()).toBeCloseTo(0);
    await pass(1000);
    expect(deadline.remaining()).toBe(0);
  });

  it('is on the monotonic clock: a change of the time of day does not move it', () => {
    const deadline = new Deadline(100);
    jest.setSystemTime(Date.now() + 3_600_000);
    expect(deadline.remaining()).toBe(100);
  });
});

describe('settleWithin', () => {
  const never = new Promise<string>(() => {});
  const late = (): string => 'late';

  it('gives what the promise gives in time, and clears its timer', async () => {
    const lateCalled = jest.fn(late);
    expect(await settleWithin(Promise.resolve('yes'), 100, lateCalled)).toBe('yes');
    expect(jest.getTimerCount()).toBe(0);
    await pass(1000);
    expect(lateCalled).not.toHaveBeenCalled();
  });

  it('rejects as the promise does in time, and clears its timer', async () => {
    const failing = Promise.reject(new Error('broken'));
    await expect(settleWithin(failing, 100, late)).rejects.toThrow('broken');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('gives a settled promise even if no time is left', async () => {
    expect(await settleWithin(Promise.resolve('yes'), 0, late)).toBe('yes');
  });

  it('rejects if `late` throws, instead of never settling', async () => {
    const settling = settleWithin(never, 100, () => {
      throw new Error('too late');
    });
    const rejected = expect(settling).rejects.toThrow('too late');
    await pass(100);
    await rejected;
  });

  it('gives what `late` gives once the time is over, and not before', async () => {
    const lateCalled = jest.fn(late);
    const settling = settleWithin(never, 100, lateCalled);
    await pass(99);
    await turn();
    await turn();
    expect(lateCalled).not.toHaveBeenCalled();
    await pass(1);
    expect(await settling).toBe('late');
    expect(lateCalled).toHaveBeenCalledTimes(1);
  });

  it('ignores what the promise gives afterwards', async () => {
    let reject: (error: Error) => void = () => {};
    const settling = settleWithin(new Promise((_, no) => (reject = no)), 100, late);
    await pass(100);
    expect(await settling).toBe('late');
    reject(new Error('afterwards'));
    // A rejection left unhandled fails the test here.
    await turn();
  });
});

describe('the end of the time', () => {
  /** Settles when the test says so; what it came to. */
  function settling() {
    let settle: (value: string) => void = () => {};
    const settled = { as: undefined as string | undefined };
    const lateCalled = jest.fn(() => 'late');
    const promise = new Promise<string>(resolve => (settle = resolve));
    void settleWithin(promise, 100, lateCalled).then(value => (settled.as = value));
    return { settle, settled, lateCalled };
  }

  /** Lets the timer end, in the middle of a turn of the event loop. */
  const end = (): void => {
    jest.advanceTimersByTime(100);
  };

  it.each([0, 1])(
    'leaves the promise %d turns of the event loop to settle',
    async turns => {
      const { settle, settled, lateCalled } = settling();
      end();
      for (let count = 0; count < turns; count++) await turn();
      expect(lateCalled).not.toHaveBeenCalled();
      settle('just in time');
      await turn();
      await turn();
      expect(settled.as).toBe('just in time');
      expect(lateCalled).not.toHaveBeenCalled();
    },
  );

  it('is there after two turns of the event loop', async () => {
    const { settle, settled } = settling();
    end();
    await turn();
    await turn();
    settle('too late');
    await turn();
    expect(settled.as).toBe('late');
  });

  it('lets an answer count that has arrived in a stall', async () => {
    const server = createServer(socket => {
      socket.on('error', () => {}).end('the answer');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      const answer = once(socket, 'data').then(([data]) => String(data));
      const settled = settleWithin(answer, 100, () => 'late');
      // The answer lies in the socket, and this process has not read it when the time is over.
      end();
      expect(await settled).toBe('the answer');
    } finally {
      socket.destroy();
      server.close();
    }
  });
});
