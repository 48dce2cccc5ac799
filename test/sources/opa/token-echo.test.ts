import { repeatsToken } from '../../../src/sources/opa/token-echo';

const TOKEN = 'tok<&>en';

const repeats = (text: string): boolean => {
  try {
    return repeatsToken(text, JSON.parse(text), TOKEN);
  } catch {
    return repeatsToken(text, undefined, TOKEN);
  }
};

describe('a response repeats the token', () => {
  it.each([
    ['as it is', `{"a":"Bearer ${TOKEN}"}`],
    ['in a key', `{"a":{"${TOKEN}":1}}`],
    ['in a page', `<pre>${TOKEN}</pre>`],
    ['escaped, as Go writes it', '{"a":["tok\\u003c\\u0026\\u003een"]}'],
    ['escaped, in a key', '{"a":{"x\\u0074ok<&>en":1}}'],
    ['perhaps, in text that is not JSON', 'x\\u0074ok<&>en'],
    [
      'perhaps, so deep that nobody can tell',
      `["\\n",${'['.repeat(200_000)}${']'.repeat(200_001)}`,
    ],
  ])('%s', (_how, text) => {
    expect(repeats(text)).toBe(true);
  });

  it.each([
    ['with none of it', '{"result":{"result":"ALLOW"}}'],
    ['with a part of it', '{"a":"tok<&>"}'],
    ['with other escapes', '{"a\\n":["\\u003c", 1, null, true]}'],
    ['of nothing', ''],
  ])('not one %s', (_how, text) => {
    expect(repeats(text)).toBe(false);
  });
});
