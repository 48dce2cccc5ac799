/** What every source takes that must be waited for. */
import { choice, duration, integer, strict, text } from '../lib/fields';

export const onUnavailable = choice(['fail-closed', 'fail-open']);

export interface RemoteDefaults {
  /** A duration, such as '500ms'. */
  readonly timeout: string;
  /** Questions under way at once. */
  readonly concurrency: number;
  /** Questions that may wait for a slot. */
  readonly queue: number;
}

export type RemoteFields = ReturnType<typeof remoteFields>;

export const remoteFields = ({ timeout, concurrency, queue }: RemoteDefaults) => ({
  timeout: duration(timeout),
  concurrency: integer(1, 10_000, concurrency),
  queue: integer(0, 100_000, queue),
  circuitBreaker: strict({
    errorThreshold: integer(1, 99, 50),
    volumeThreshold: integer(1, 1_000_000, 5),
    // opossum remembers every question of the window.
    rollingWindow: duration('10s', 3_600_000),
    resetTimeout: duration('10s'),
    distinctUsers: integer(1, 1000, 1),
  }).prefault({} as never),
  onUnavailable: onUnavailable.optional(),
  standby: text('the name of a source').optional(),
});
