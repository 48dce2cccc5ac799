import type { Answer } from '../../answer';
import { deepFrozen } from '../../lib/deep-frozen';
import { RecentTexts } from '../../lib/recent-texts';
import { regoAnswer } from '../rego/answer';

/** Characters of results whose reading is kept: thousands of short ones, or hundreds of long ones. */
const MAX_KEPT = 256 * 1024;

/** What a result set says. */
interface Read {
  readonly answer: Answer;
  /** The result set itself. */
  readonly response: unknown;
}

/**
 * Reads result sets. A policy says the same to many questions, so what a text was read as is kept:
 * then its conditions are parsed and checked once. Every question is evaluated all the same.
 */
export class Results {
  private readonly known = new RecentTexts<Read>(MAX_KEPT);

  /** @param text - JSON. */
  read(text: string): Read {
    const known = this.known.get(text);
    if (known) return known;
    const response: unknown = JSON.parse(text);
    const read = { answer: regoAnswer(firstResult(response)), response };
    // What has failed may be nested too deeply to be frozen, and is rare.
    if (read.answer.kind !== 'FAILED') {
      deepFrozen(response);
      this.known.add(text, read);
    }
    return read;
  }
}

/** A result set is `[{ result }]`, and `[]` when the decision is undefined. */
function firstResult(results: unknown): unknown {
  if (!Array.isArray(results)) return results;
  return (results[0] as { result?: unknown } | undefined)?.result;
}
