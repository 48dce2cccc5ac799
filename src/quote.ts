const SHOWN = 100;

/** Text of callers or policies for a message: one line, quoted, cut to a bounded length. */
export function quote(text: unknown): string {
  const whole = String(text);
  return JSON.stringify(whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole);
}
