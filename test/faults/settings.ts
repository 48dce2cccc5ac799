/**
 * Of a source whose peer hangs, in milliseconds. Its rows take so long, and where it answers at
 * other times, it is in time on a busy machine too.
 */
export const TIMEOUT = 2_000;
/** Of all other sources: nobody waits for it, however slow the machine. */
export const GENEROUS_TIMEOUT = 60_000;
/** Of every decision, in milliseconds. */
export const DEADLINE = 90_000;
export const MAX_RESPONSE_BYTES = 2_000;
export const MAX_CONDITION_BYTES = 900;
