import { errorName, errorNames, errorPlace } from '../../src/lib/foreign-error';

describe('an error is called', () => {
  const unreadable = {
    get name() {
      throw new Error('secret');
    },
  };

  it.each<[string, unknown, string | undefined]>([
    [
      'by its code',
      Object.assign(new Error('secret'), { code: 'ECONNRESET' }),
      'ECONNRESET',
    ],
    ['by its name', new TypeError('secret'), 'TypeError'],
    ['by its name if its code is not a word', { code: 'a secret', name: 'E' }, 'E'],
    ['nothing if neither is a word', { code: 7, name: 'a\nsecret' }, undefined],
    ['nothing if it is too long', { name: 'x'.repeat(101) }, undefined],
    ['nothing if it cannot be read', unreadable, undefined],
    [
      'nothing if its name is not a string',
      { name: Object.create(null) as object },
      undefined,
    ],
    ['nothing if it is undefined', undefined, undefined],
    ['nothing if it is null', null, undefined],
  ])('%s', (_what, error, name) => {
    expect(errorName(error)).toBe(name);
  });
});

describe('an error with a cause is called', () => {
  const unreadable = Object.defineProperty(new Error('secret'), 'cause', {
    get() {
      throw new Error('secret');
    },
  });

  it.each<[string, unknown, string]>([
    [
      'by both',
      new TypeError('s', { cause: { code: 'ECONNREFUSED' } }),
      'TypeError (ECONNREFUSED)',
    ],
    [
      'by its own name where the cause has none',
      new TypeError('s', { cause: 's' }),
      'TypeError',
    ],
    ['by its own name where there is no cause', new TypeError('secret'), 'TypeError'],
    ['by its type where it is not an error', 'secret', 'string'],
    [
      'by its type and its cause if it has no name',
      { cause: new Error('s') },
      'object (Error)',
    ],
    ['by its own name where the cause cannot be read', unreadable, 'Error'],
    ['by its type where it is undefined', undefined, 'undefined'],
  ])('%s', (_what, error, names) => {
    expect(errorNames(error)).toBe(names);
  });
});

describe('an error was thrown', () => {
  const unreadable = {
    get stack() {
      throw new Error('secret');
    },
  };
  const thrownHere = new Error('a secret\n    at secret (secret:1:1)\nof three lines');

  it.each<[string, unknown, RegExp]>([
    [
      'where its first frame is',
      thrownHere,
      /^at .*foreign-error\.test\.ts:\d+:\d+\)?$/,
    ],
    [
      'where its stack says, also without a message',
      { stack: 'Error\n    at f (file.js:1:2)\n    at g (file.js:3:4)' },
      /^at f \(file\.js:1:2\)$/,
    ],
    [
      'at an unknown place if its stack has no frame',
      { stack: 'x' },
      /^at an unknown place$/,
    ],
    [
      'where its last frames begin, not where a message that was changed has such lines',
      Object.assign(new Error('s\n    at secret (s:1:1)\nof three lines'), {
        message: '',
      }),
      /^at .*foreign-error\.test\.ts:\d+:\d+\)?$/,
    ],
    [
      'at no URL, which may be part of a message',
      {
        message: 'changed',
        stack:
          'Error: s\n    at https://u:secret@host/a:1:1\n    at f (file:///a.js:1:2)',
      },
      /^at f \(file:\/\/\/a\.js:1:2\)$/,
    ],
    [
      'where its first frame is after a message of 80,000 lines',
      new Error('\n'.repeat(80_000)),
      /^at .*foreign-error\.test\.ts:\d+:\d+\)?$/,
    ],
    [
      'at an unknown place if its stack is white space only',
      { stack: `${' \n'.repeat(80_000)}x` },
      /^at an unknown place$/,
    ],
    [
      'where its first frame is, cut if that is long',
      { stack: `Error\n    at ${'f'.repeat(1000)} (file.js:1:2)` },
      /^at f{297}$/,
    ],
    ['at an unknown place if it has no stack', 'secret', /^at an unknown place$/],
    ['at an unknown place if it cannot be read', unreadable, /^at an unknown place$/],
    ['at an unknown place if it is nothing', undefined, /^at an unknown place$/],
  ])('%s', (_what, error, place) => {
    expect(errorPlace(error)).toMatch(place);
  });
});
