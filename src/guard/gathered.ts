/** Gathers what one user asks in one turn of the event loop. */
export class Gathered<T> {
  private readonly byUser = new Map<string, T[]>();

  /**
   * @param flush - gets all of one user at the end of the turn, in the async context of the first;
   * must not throw.
   */
  constructor(private readonly flush: (gathered: readonly T[]) => void) {}

  /** @param who - equal for the same user only, see `QuestionKey`. */
  add(who: string, item: T): void {
    const known = this.byUser.get(who);
    if (known) {
      known.push(item);
      return;
    }
    const items = [item];
    this.byUser.set(who, items);
    setImmediate(() => {
      this.byUser.delete(who);
      this.flush(items);
    });
  }
}
