/** Whose questions have failed lately. */
export class FailingUsers {
  /** When each failed last, the latest at the end. */
  private readonly last = new Map<string | undefined, number>();

  /**
   * @param wanted - how many different users are enough; no more than these are remembered.
   * @param window - milliseconds for which a failure counts.
   */
  constructor(
    private readonly wanted: number,
    private readonly window: number,
  ) {}

  /** @param user - undefined for the anonymous, who count as one user. */
  add(user: string | undefined): void {
    this.last.delete(user);
    this.last.set(user, performance.now());
    if (this.last.size <= this.wanted) return;
    const [earliest] = this.last.keys();
    this.last.delete(earliest);
  }

  forget(): void {
    this.last.clear();
  }

  /** Whether so many different users have failed in the window. */
  get enough(): boolean {
    if (this.last.size < this.wanted) return false;
    const [earliest = -Infinity] = this.last.values();
    return performance.now() - earliest <= this.window;
  }
}
