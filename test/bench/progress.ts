/** Within the first of so many parts, nothing is said about the time. */
const EARLY = 20;

/** Says on standard error how far a section is, and how long it will still take. */
export class Progress {
  private readonly begin = performance.now();
  private done = 0;
  private told = -Infinity;

  constructor(
    private readonly what: string,
    private readonly steps: number,
    private readonly write: (text: string) => unknown = text =>
      process.stderr.write(text),
    private readonly isTerminal = process.stderr.isTTY === true,
  ) {}

  /** One step is done. */
  step(detail: string): void {
    this.done++;
    const now = performance.now();
    const isLast = this.done >= this.steps;
    if (now - this.told < (this.isTerminal ? 200 : 10_000) && !isLast) return;
    this.told = now;
    const left = ((now - this.begin) / this.done) * (this.steps - this.done);
    // The first steps say little: something may still have to start.
    const isEarly = this.done * EARLY < this.steps;
    const text = `${this.what}: ${detail}${isEarly ? '' : `, ${timeText(left)} to go`}`;
    if (!this.isTerminal) this.write(`${text}\n`);
    else this.write(isLast ? '\r\x1b[K' : `\r\x1b[K${text}`);
  }
}

/** Of milliseconds: `1:05`. */
function timeText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
