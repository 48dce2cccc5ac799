/** Of a source whose peer hangs, in milliseconds; so long its rows take. */
export const TIMEOUT = 250;
/** Of one whose peer hangs at times and answers at others. */
export const SHARED_TIMEOUT = 750;
/** Of all other sources: nobody waits for it, however slow the machine. */
export const GENEROUS_TIMEOUT = 1_500;
/** Of every decision, in milliseconds. */
export const DEADLINE = 2_000;
export const MAX_RESPONSE_BYTES = 2_000;
export const MAX_CONDITION_BYTES = 900;
