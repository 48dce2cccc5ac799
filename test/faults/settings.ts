/**
 * The timeout of a source whose peer hangs, in milliseconds: short enough to wait for, long
 * enough that the rows in which the peer answers pass on a busy machine.
 */
export const TIMEOUT = 2_000;
/** The timeout of all other sources; it must not pass, no matter how slow the machine is. */
export const GENEROUS_TIMEOUT = 60_000;
/** The deadline of every decision, in milliseconds. */
export const DEADLINE = 90_000;
export const MAX_RESPONSE_BYTES = 2_000;
export const MAX_CONDITION_BYTES = 900;
