import { failed } from '../../../src/answer';
import {
  JudgedFailure,
  transportFailure,
} from '../../../src/sources/opa/transport-failure';

const HTTP = { secure: false, address: '127.0.0.1:8181' };

/** The class and the code; over plain HTTP unless TLS is asked for. */
function failureOf(error: unknown, secure = false): string {
  const { failure } = transportFailure(error, { ...HTTP, secure });
  return `${failure.class} ${failure.code}`;
}

const coded = (code: string, more: object = {}): Error =>
  Object.assign(new Error('a secret'), { code, ...more });

describe('an exchange that broke', () => {
  it.each([
    ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT'],
    ...['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'EADDRNOTAVAIL'],
    ...['ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'UND_ERR_CONNECT_TIMEOUT'],
  ])('by %s is unavailable, with and without TLS', code => {
    expect(failureOf(coded(code))).toBe(`unavailable ${code}`);
    expect(failureOf(coded(code), true)).toBe(`unavailable ${code}`);
  });

  it.each([
    ...[
      'CERT_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ...[
      'EACCES',
      'EMFILE',
      'HPE_INVALID_CONSTANT',
      'UND_ERR_INVALID_ARG',
      'UNHEARD_OF',
    ],
  ])('by %s is invalid, with and without TLS', code => {
    expect(failureOf(coded(code))).toBe(`invalid ${code}`);
    expect(failureOf(coded(code), true)).toBe(`invalid ${code}`);
  });

  it('by a response over the limit is invalid, under a code of its own', () => {
    expect(failureOf(coded('UND_ERR_RES_EXCEEDED_MAX_SIZE'))).toBe('invalid OVERSIZED');
  });

  it.each<[what: string, error: unknown, expected: string]>([
    [
      'the cause of an error',
      new Error('', { cause: coded('EPIPE') }),
      'unavailable EPIPE',
    ],
    [
      'the first of an error per address',
      new AggregateError([coded('ECONNREFUSED'), coded('EACCES')]),
      'unavailable ECONNREFUSED',
    ],
    [
      'a code of its own before that of a cause',
      coded('EACCES', { cause: coded('ECONNREFUSED') }),
      'invalid EACCES',
    ],
    [
      'an object that is not an instance of Error',
      { code: 'ECONNRESET', message: 'a secret' },
      'unavailable ECONNRESET',
    ],
    [
      'the name where there is no code',
      Object.assign(new Error('a secret'), { name: 'HTTPParserError' }),
      'invalid HTTPParserError',
    ],
    [
      'the name where the code is not a string',
      { code: 111, name: 'Odd' },
      'invalid Odd',
    ],
    ['nothing of null', null, 'invalid undefined'],
  ])('is named by %s', (_what, error, expected) => {
    expect(failureOf(error)).toBe(expected);
  });

  it('is what it was judged to be while connecting', () => {
    const judged = failed('overloaded', 'STALLED', 'busy');
    for (const peer of [HTTP, { ...HTTP, secure: true }]) {
      expect(transportFailure(new JudgedFailure(judged), peer)).toBe(judged);
    }
  });

  it('is not searched for ever where causes are cyclic', () => {
    const cyclic: { name: string; cause?: unknown } = { name: 'Cyclic' };
    cyclic.cause = cyclic;
    expect(failureOf(cyclic)).toBe('invalid Cyclic');
  });

  it('is described without the words of the error', () => {
    for (const code of ['ECONNREFUSED', 'EACCES']) {
      const { failure } = transportFailure(coded(code), HTTP);
      expect(failure.message).toContain(`(${code} 127.0.0.1:8181)`);
      expect(failure.message).not.toContain('secret');
    }
  });
});

describe('a connection that ended before the answer', () => {
  const ended = (message: string, bytesRead?: number): Error =>
    Object.assign(new Error(message), {
      code: 'UND_ERR_SOCKET',
      socket: bytesRead === undefined ? null : { bytesRead },
    });

  it.each(['other side closed', 'closed'])('is unavailable over HTTP: %s', message => {
    expect(failureOf(ended(message))).toBe('unavailable UND_ERR_SOCKET');
    expect(failureOf(ended(message, 0))).toBe('unavailable UND_ERR_SOCKET');
  });

  it.each(['other side closed', 'closed'])(
    'is unavailable over TLS only after a byte of the answer: %s',
    message => {
      expect(failureOf(ended(message, 1), true)).toBe('unavailable UND_ERR_SOCKET');
      expect(failureOf(ended(message, 0), true)).toBe('invalid UND_ERR_SOCKET');
      expect(failureOf(ended(message), true)).toBe('invalid UND_ERR_SOCKET');
    },
  );

  it('is invalid where undici means broken HTTP', () => {
    expect(failureOf(ended('bad response', 10))).toBe('invalid UND_ERR_SOCKET');
  });
});
