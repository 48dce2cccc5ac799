/** A guard around a source, asked as a route asks it, and what its breaker went through. */
import { setImmediate as turn } from 'node:timers/promises';
import type { BreakerState, CircuitBreakerOptions } from '../../src/guard/breaker';
import { Chain, type ChainAnswer } from '../../src/guard/chain';
import { RemoteGuard, type RemoteGuardOptions } from '../../src/guard/remote-guard';
import { Deadline } from '../../src/lib/deadline';
import type { PermissionRequest } from '../../src/request';
import type { RemoteSource } from '../../src/sources/source';
import type { OnUnavailable } from '../../src/verdict';
import { permission, request } from '../fixtures/builders';
import { pass } from './clock';

export const OPTIONS: RemoteGuardOptions = {
  timeout: 200,
  concurrency: 2,
  queue: 1,
  circuitBreaker: {
    errorThreshold: 50,
    volumeThreshold: 1000,
    rollingWindow: 10_000,
    resetTimeout: 50,
    distinctUsers: 1,
  },
};

/** With these settings of the circuit breaker. */
export const withBreaker = (
  changes: Partial<CircuitBreakerOptions>,
): Pick<RemoteGuardOptions, 'circuitBreaker'> => ({
  circuitBreaker: { ...OPTIONS.circuitBreaker, ...changes },
});

export const TESTED = request(permission('tested'));

export const chainOf = (guard: RemoteGuard, onUnavailable: OnUnavailable): Chain =>
  new Chain([{ source: 'tested', standby: false, guard }], {
    onUnavailable,
    checkConditions: verdict => verdict,
  });

export interface TestedGuard {
  readonly guard: RemoteGuard;
  /** Asks with this many milliseconds until the deadline; fail-open unless `mode` is given. */
  readonly ask: (
    deadline?: number,
    mode?: OnUnavailable,
    asked?: PermissionRequest,
  ) => Promise<ChainAnswer>;
  /** The outcomes of so many questions, put together and not answered in time. */
  readonly timeOut: (count: number) => Promise<string[]>;
  /** Every state that the breaker has changed to. */
  readonly states: readonly BreakerState[];
  /** Each change of why the source cannot answer batches; undefined: it does. */
  readonly problems: ReadonlyArray<string | undefined>;
  /** Called with the number of slots when calls that hang hold all of them. */
  readonly allHang: jest.Mock<void, [slots: number]>;
  /** Closes the guard and its source; `closeGuards` then leaves it alone. */
  readonly close: () => Promise<void>;
}

const open = new Set<RemoteGuard>();

export function guardOf(
  source: RemoteSource,
  changes: Partial<RemoteGuardOptions> = {},
): TestedGuard {
  const options = { ...OPTIONS, ...changes };
  const states: BreakerState[] = [];
  const problems: Array<string | undefined> = [];
  const allHang = jest.fn<void, [slots: number]>();
  const guard = new RemoteGuard(source, options, {
    breakerChanged: state => states.push(state),
    allCallsHang: allHang,
    batchChanged: problem => problems.push(problem),
  });
  open.add(guard);
  const ask: TestedGuard['ask'] = async (
    deadline = 10_000,
    mode = 'fail-open',
    asked = TESTED,
  ) => chainOf(guard, mode).ask(asked, new Deadline(deadline));
  const timeOut: TestedGuard['timeOut'] = async count => {
    const asked = Array.from({ length: count }, () => ask());
    await pass(options.timeout);
    return (await Promise.all(asked)).map(outcome);
  };
  const close = async (): Promise<void> => {
    open.delete(guard);
    await guard.close();
  };
  return { guard, ask, timeOut, states, problems, allHang, close };
}

/** Closes every guard that is still open, and with it the timers of its breaker. */
export async function closeGuards(): Promise<void> {
  const left = [...open];
  open.clear();
  for (const guard of left) await guard.close();
}

/** `<verdict>`, or `<verdict> <class> <code>` of the failure that it replaces. */
export const outcome = ({ verdict }: ChainAnswer): string =>
  'failure' in verdict && verdict.failure
    ? `${verdict.kind} ${verdict.failure.class} ${verdict.failure.code}`
    : verdict.kind;

/** The outcome, if it is known without any waiting. */
export const atOnce = (asked: Promise<ChainAnswer>): Promise<string> =>
  Promise.race([asked.then(outcome), turn('not at once')]);

/** An answer to one call, which the test gives or refuses. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** As `Promise.withResolvers`, which not all supported versions of Node.js have. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((whenDone, whenFailed) => {
    resolve = whenDone;
    reject = whenFailed;
  });
  return { promise, resolve, reject };
}
