import { escapeInvisible, oneLine, quote } from '../../src/lib/quote';

describe('foreign text becomes one short line', () => {
  const long = `a\n${'b'.repeat(100_000)}`;

  it.each([
    ['quoted', quote],
    ['not quoted', oneLine],
  ])('%s', (_what, show) => {
    expect(show(long)).toMatch(/^.{1,250}$/);
  });
});

describe('a character that is invisible, or that a terminal acts on', () => {
  const unseen =
    '\u0000\u001b\u007f\u0085\u009b\u2028\u2029\u202e\u200b\ud800\ufeff\udb40\udc41';

  it('is escaped where text is quoted', () => {
    expect(quote(unseen)).toMatch(/^"(\\u[0-9a-f]{4}){13}"$/);
    expect(JSON.parse(quote(unseen))).toBe(unseen);
  });

  it('becomes white space where text is not quoted', () => {
    expect(oneLine(`a${unseen}\r\n\tb`)).toBe('a b');
  });

  it('is escaped in text of the config', () => {
    expect(escapeInvisible(`a ${unseen}'`)).toMatch(/^a (\\u[0-9a-f]{4}){13}'$/);
  });

  it('is not one of those that people write', () => {
    const text = 'katalog.größe 目录 каталог 📦 "x" \\';
    expect(quote(text)).toBe(JSON.stringify(text));
    expect(oneLine(text)).toBe(text);
    expect(escapeInvisible(text)).toBe(text);
  });
});
