/** Text that an attacker might send, for property tests. */
import fc from 'fast-check';

const TRAPS = [
  '',
  '.',
  '..',
  '...',
  '*',
  '__proto__',
  '__proto__.__proto__',
  'constructor',
  'constructor.prototype',
  'toString',
  'hasOwnProperty',
  '\u0000',
  'open\u0000',
  'open\n2026-01-01T00:00:00Z permission info ALLOW',
  'open\r\nforged',
  'open\u2028forged',
  'open\u2029forged',
  'open\u0085forged',
  '\u009b31mopen',
  '\u001b[2Jopen',
  '\u202enepo',
  '\u{e0041}open',
  '\ufeffopen',
  'open\u200b',
  'оpen', // a Cyrillic o
  'ｏｐｅｎ',
  'ﬁle',
  'OPEN',
  'Open',
  ' open',
  'open ',
  'open..secret',
  'open.secret',
  'open.secret.',
  '.open',
  'openx',
  'open/secret',
  'open%2esecret',
  'open\\.secret',
  '../../v1/policies',
  '%2e%2e%2f',
  '?x=',
  '#',
  '${OPA_TOKEN}',
  '\ud800',
  '\udfff',
  'open\ud800',
  'catalog.entity.read',
  'ask',
];

/** Arbitrary 16-bit units, including halves of surrogate pairs. */
const units = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
  .map(codes => String.fromCharCode(...codes));

const scrap = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...TRAPS) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: units },
);

/** Known traps, random text, both joined by dots, and all of these repeated. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: scrap },
  {
    weight: 3,
    arbitrary: fc.array(scrap, { maxLength: 4 }).map(parts => parts.join('.')),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(scrap, fc.constantFrom(100, 256, 257, 5_000))
      .map(([part, length]) =>
        part.repeat(Math.ceil(length / (part.length || 1))).slice(0, length),
      ),
  },
);
