/** Something the router does, by itself, that takes longer the more there is of something. */
export interface Stage {
  /** For `--only`. */
  readonly id: string;
  /** Stages with the same subject are shown together: `routes of a table`. */
  readonly subject: string;
  readonly title: string;
  /** Ascending. */
  readonly sizes: readonly number[];
  /** Whether to measure how long it holds the event loop at once. */
  readonly holds?: boolean;
  prepare(size: number): Prepared | Promise<Prepared>;
}

/** A stage at one size. */
export interface Prepared {
  /** The next call, which is measured; what this function does itself is not. */
  next(): () => unknown;
  /** Whether the result of a call is right; a time of something else is worthless. */
  isRight(result: unknown): boolean;
  close?(): void;
}
