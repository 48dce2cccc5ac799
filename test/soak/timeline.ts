/** How much of the past is kept, in milliseconds. */
const MEMORY = 120_000;

interface Entry<T> {
  readonly from: number;
  readonly possible: readonly T[];
}

/** Possible states over time; a change is only known to be between two moments. */
export class Timeline<T> {
  private readonly entries: Array<Entry<T>>;

  constructor(...possible: T[]) {
    this.entries = [{ from: -Infinity, possible }];
  }

  /** The states that are possible from now on. */
  set(...possible: T[]): void {
    const now = performance.now();
    this.entries.push({ from: now, possible });
    while (this.entries.length > 2 && this.entries[1]!.from < now - MEMORY) {
      this.entries.shift();
    }
  }

  /** The states that are possible now. */
  now(): readonly T[] {
    return this.entries.at(-1)!.possible;
  }

  /** Every state that was possible between the two moments. */
  between(from: number, to: number): Set<T> {
    const found = new Set<T>();
    for (let index = this.entries.length - 1; index >= 0; index--) {
      const entry = this.entries[index]!;
      if (entry.from <= to) for (const each of entry.possible) found.add(each);
      if (entry.from <= from) break;
    }
    return found;
  }
}
