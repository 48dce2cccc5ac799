import type { QuestionKey } from '../sources/source';
import type { Question } from './question';

/** The questions under way or waiting that further callers may join, by key; the latest of each. */
export class Shared {
  /** By user, then by what is asked: a user's text may be long, and is looked up as one value. */
  private readonly byUser = new Map<string, Map<string, Question>>();

  /** Questions that have not been removed. */
  get size(): number {
    return [...this.byUser.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** @param key - undefined for a question that is never shared. */
  find(key: QuestionKey | undefined): Question | undefined {
    const question = key && this.byUser.get(key.who)?.get(key.what);
    return question?.open ? question : undefined;
  }

  add(key: QuestionKey | undefined, question: Question): void {
    if (!key) return;
    const ofUser = this.byUser.get(key.who);
    if (ofUser) ofUser.set(key.what, question);
    else this.byUser.set(key.who, new Map<string, Question>().set(key.what, question));
  }

  /** A later question with the same key stays. */
  remove(key: QuestionKey | undefined, question: Question): void {
    if (!key) return;
    const ofUser = this.byUser.get(key.who);
    if (ofUser?.get(key.what) !== question) return;
    ofUser.delete(key.what);
    if (ofUser.size === 0) this.byUser.delete(key.who);
  }
}
