import { AsyncResource } from 'node:async_hooks';

/** Gathers what one user asks in one turn of the event loop. */
export class Gathered<T> {
  private readonly byUser = new Map<string, Gathering<T>>();

  /**
   * @param most - of one user at once; then they are given before the end of the turn.
   * @param flush - gets all of one user, in the async context of the first; must not throw.
   */
  constructor(
    private readonly most: () => number,
    private readonly flush: (gathered: readonly T[]) => void,
  ) {}

  /** @param who - equal for the same user only, see `QuestionKey`. */
  add(who: string, item: T): void {
    const gathering = this.byUser.get(who) ?? this.begin(who);
    gathering.items.push(item);
    if (gathering.items.length >= this.most()) this.give(who, gathering);
  }

  private begin(who: string): Gathering<T> {
    const gathering = { items: [], context: new AsyncResource('PolicyRouterBatch') };
    this.byUser.set(who, gathering);
    setImmediate(() => this.give(who, gathering));
    return gathering;
  }

  private give(who: string, gathering: Gathering<T>): void {
    // It may have been given already, and others may be gathered since.
    if (this.byUser.get(who) !== gathering) return;
    this.byUser.delete(who);
    gathering.context.runInAsyncScope(this.flush, undefined, gathering.items);
  }
}

interface Gathering<T> {
  readonly items: T[];
  /** Of the first. */
  readonly context: AsyncResource;
}
