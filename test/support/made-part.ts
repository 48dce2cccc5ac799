/** The part of a page of docs/ that a test writes: between two comments that name the test. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class MadePart {
  readonly #page: string;
  readonly #begin: string;
  readonly #end: string;

  /** Both paths are relative to the root of the repository. */
  constructor(page: string, test: string) {
    this.#page = join(__dirname, '../..', page);
    this.#begin = `<!-- made by ${test}: begin -->`;
    this.#end = `<!-- made by ${test}: end -->`;
  }

  /** @throws Error if the page lacks the comments. */
  read(): string {
    return this.#split()[1];
  }

  /** @throws Error if the page lacks the comments. */
  write(text: string): void {
    const [before, , after] = this.#split();
    writeFileSync(this.#page, before + text + after);
  }

  #split(): [string, string, string] {
    const page = readFileSync(this.#page, 'utf8');
    const begin = page.indexOf(this.#begin);
    const end = page.indexOf(this.#end);
    if (begin === -1 || end < begin)
      throw new Error(`${this.#page} has no '${this.#begin}' … '${this.#end}'`);
    const from = begin + this.#begin.length;
    return [page.slice(0, from), page.slice(from, end), page.slice(end)];
  }
}
