import { escapeInvisible } from '../lib/quote';

/** Shorter ones are in every sentence. */
const MIN_LENGTH = 3;
/** Of the beginning of a value that was cut, which is followed by `…`. Longer than `https://`. */
const MIN_CUT = 9;

interface SecretValue {
  readonly value: string;
  /** What is printed in its place. */
  readonly shown: string;
}

/**
 * What must not be printed: the values that a config takes from environment variables and files. Where
 * one is in the wrong place, a message about it would quote it.
 */
export class SecretValues {
  private values: readonly SecretValue[] = [];

  /** @param shown - what is printed in place of the value, such as `${OPA_TOKEN}`. */
  add(value: string, shown: string): void {
    const lines = value.split(/\r?\n/);
    const forms = [value, ...lines, ...lines.map(line => line.trim())].flatMap(text => [
      text,
      text.toLowerCase(),
      escapeInvisible(text),
      JSON.stringify(text).slice(1, -1),
    ]);
    const added = [...new Set(forms)]
      .filter(form => form.length >= MIN_LENGTH)
      .map(form => ({ value: form, shown }));
    // The longest first: one may contain another.
    this.values = [...this.values, ...added].sort(
      (a, b) => b.value.length - a.value.length,
    );
  }

  /** The text with the names of the values in their place. */
  hide(text: string): string {
    if (this.values.length === 0) return text;
    // All at once, so that what is shown of one is not searched for another.
    const any = new RegExp(
      this.values.map(({ value }) => literal(value)).join('|'),
      'g',
    );
    const shown = new Map(this.values.map(each => [each.value, each.shown]));
    const hidden = text.replace(any, value => shown.get(value)!);
    return hidden.includes('…') ? this.values.reduce(withoutCut, hidden) : hidden;
  }
}

/** What a regular expression must not read as more than text. */
const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** Without the beginning of the value where a message was cut. */
function withoutCut(text: string, { value, shown }: SecretValue): string {
  for (let length = value.length - 1; length >= MIN_CUT; length--) {
    const beginning = `${value.slice(0, length)}…`;
    if (text.includes(beginning)) return text.replaceAll(beginning, () => shown);
  }
  return text;
}
