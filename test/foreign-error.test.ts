import { errorMessage, errorName, errorNames } from '../src/foreign-error';

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
    ['by its name if its code is no word', { code: 'a secret', name: 'E' }, 'E'],
    ['nothing if neither is a word', { code: 7, name: 'a\nsecret' }, undefined],
    ['nothing if it is too long', { name: 'x'.repeat(101) }, undefined],
    ['nothing if it cannot be read', unreadable, undefined],
    ['nothing if it is no text', { name: Object.create(null) as object }, undefined],
    ['nothing if it is nothing', undefined, undefined],
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
    ['by its own name where there is none', new TypeError('secret'), 'TypeError'],
    ['by its kind where it is no error', 'secret', 'string'],
    [
      'by the cause of what it cannot be called by',
      { cause: new Error('s') },
      'object (Error)',
    ],
    ['by its own name where the cause cannot be read', unreadable, 'Error'],
    ['by its kind where it is nothing', undefined, 'undefined'],
  ])('%s', (_what, error, names) => {
    expect(errorNames(error)).toBe(names);
  });
});

describe('an error says', () => {
  const unreadable = {
    get message() {
      throw new Error('secret');
    },
  };

  it.each<[string, unknown, string]>([
    ['its message', new Error('no answer'), 'no answer'],
    ['its kind where it is no error', 'no answer', 'string'],
    ['its kind where its message is no text', { message: 7 }, 'object'],
    ['its kind where its message cannot be read', unreadable, 'object'],
    ['its kind where it is nothing', null, 'object'],
  ])('%s', (_what, error, message) => {
    expect(errorMessage(error)).toBe(message);
  });
});
