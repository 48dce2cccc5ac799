import fc from 'fast-check';
import { encodeJson } from '../../../src/sources/opa-wasm/json-text';

const read = (json: string): unknown =>
  JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(encodeJson(json)));

/** As UTF-8 has it: half of a pair alone is U+FFFD. */
const wellFormed = (text: string): string => Buffer.from(text).toString();

const escaped = (text: string, hex: (unit: number) => string): string =>
  `"${text.replace(/[^ -~]|["\\]/g, unit => `\\u${hex(unit.charCodeAt(0)).padStart(4, '0')}`)}"`;

/** What may write `data.json`: some escape all but ASCII, in letters of either case. */
const writers: Record<string, (text: string) => string> = {
  'as JSON.stringify does': text => JSON.stringify(text),
  'with escapes for all but ASCII': text => escaped(text, unit => unit.toString(16)),
  'with escapes in upper case': text =>
    escaped(text, unit => unit.toString(16).toUpperCase()),
};

describe.each(Object.entries(writers))('JSON written %s', (_, write) => {
  it.each([
    ['a pair', '\ud83d\ude00', '😀'],
    ['two pairs', '\ud83d\ude00\ud83d\ude00', '😀😀'],
    ['the first half alone', 'a\ud83db', 'a\ufffdb'],
    ['the second half alone', 'a\ude00b', 'a\ufffdb'],
    ['the halves in the wrong order', '\ude00\ud83d', '\ufffd\ufffd'],
    ['a half before a pair', '\ud83d\ud83d\ude00', '\ufffd😀'],
    ['a backslash before what looks like a half', '\\ud83d', '\\ud83d'],
    ['a backslash before a half', '\\\ud83d', '\\\ufffd'],
  ])('is encoded for the evaluator as OPA reads it: %s', (_what, text, expected) => {
    expect(read(write(text))).toBe(expected);
  });

  it('is encoded for the evaluator as OPA reads it, whatever the text', () => {
    const unit = fc.oneof(
      fc.constantFrom('\ud83d', '\ude00', '\\', 'u', 'd83d', '\u2028', 'é'),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(unit), units => {
        const text = units.join('');
        expect(read(write(text))).toBe(wellFormed(text));
      }),
      { numRuns: 500 },
    );
  });
});
