import type { Question } from './question';

/** The questions under way or waiting that further callers may join, by key; the latest of each. */
export class Shared {
  private readonly byKey = new Map<string, Question>();

  /** Questions that have not been removed. */
  get size(): number {
    return this.byKey.size;
  }

  /** @param key - undefined for a question that is never shared. */
  find(key: string | undefined): Question | undefined {
    const question = key === undefined ? undefined : this.byKey.get(key);
    return question?.open ? question : undefined;
  }

  add(key: string | undefined, question: Question): void {
    if (key !== undefined) this.byKey.set(key, question);
  }

  /** A later question with the same key stays. */
  remove(key: string | undefined, question: Question): void {
    if (key !== undefined && this.byKey.get(key) === question) this.byKey.delete(key);
  }
}
