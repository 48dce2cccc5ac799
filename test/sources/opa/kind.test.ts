import { readConfig } from '../../../src/config/read';
import {
  expectAmong,
  expectProblems,
  errorOf,
  OPA,
  problems,
  warnings,
  withOpa,
  type Row,
} from '../../support/read-config';
import { tlsFixture } from '../../support/tls-fixture';

const CA = tlsFixture('ca.pem');
const CERT = tlsFixture('client.pem');
const KEY = tlsFixture('client.key');
const OPA_KEYS =
  'type, baseUrl, entrypoint, batch, maxResponseBytes, auth, tls, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby';
const PEM_HINT = 'as PEM text (Backstage reads a file with $file)';

describe('a source of type opa', () => {
  it('may give a part of the circuit breaker', async () => {
    const raw = withOpa({ circuitBreaker: { errorThreshold: 20 } });
    expect((await readConfig(raw)).config.sources.get('opa')).toMatchObject({
      remote: {
        guard: { circuitBreaker: { errorThreshold: 20, rollingWindow: 10_000 } },
      },
    });
  });

  it.each([
    ['http://127.0.0.1:8181'],
    ['https://opa.example.com/behind/a/path/'],
    ['http://[::1]:8181'],
    ['unix:/run/opa.sock'],
    ['unix:///run/opa.sock'],
  ])('may reach OPA at %s', async baseUrl => {
    expect(await problems(withOpa({ baseUrl }))).toEqual([]);
  });

  it('may give TLS to every endpoint of a list', async () => {
    const baseUrl = ['https://a', 'HTTPS://b'];
    expect(await problems(withOpa({ baseUrl, tls: { ca: CA } }))).toEqual([]);
  });

  it.each([
    ['ca alone', { ca: CA }],
    ['cert and key', { cert: CERT, key: KEY }],
    ['ca, cert and key', { ca: CA, cert: CERT, key: KEY }],
  ])('may give for TLS %s', async (_what, tls) => {
    expect(await problems(withOpa({ tls }))).toEqual([]);
  });

  it.each<Row>([
    [
      'refuses a misspelt key',
      withOpa({ timout: '1s' }),
      `~.sources.opa: unknown key 'timout'; allowed: ${OPA_KEYS}`,
    ],
    [
      'refuses a misspelt key in its breaker',
      withOpa({ circuitBreaker: { threshold: 50 } }),
      "~.sources.opa.circuitBreaker: unknown key 'threshold'; allowed: errorThreshold, volumeThreshold, rollingWindow, resetTimeout, distinctUsers",
    ],
    [
      'needs a URL and an entrypoint',
      withOpa({ baseUrl: undefined, entrypoint: undefined }),
      "~.sources.opa.baseUrl: is required: a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'. It is not set; if it is ${OPA_URL} in app-config, that environment variable is not set",
      "~.sources.opa.entrypoint: is required: the path of a decision, such as 'backstage_policy/decision'. It is not set; if it is ${…} in app-config, that environment variable is not set",
    ],
    [
      'has a failure mode that is one of two',
      withOpa({ onUnavailable: 'allow' }),
      `~.sources.opa.onUnavailable: must be 'fail-closed' or 'fail-open', not "allow"`,
    ],
  ])('%s', expectProblems);

  it.each([
    ['a scheme', 'opa.example.com:8181'],
    ['http or https', 'ftp://opa.example.com'],
    ['a host', 'http://'],
    ['no space before it', ' http://opa.example.com'],
  ])('has a URL with %s', async (_what, baseUrl) => {
    expect(await problems(withOpa({ baseUrl }))).toEqual([
      "~.sources.opa.baseUrl: must be 'http://…', 'https://…' or 'unix:/path/to/socket'",
    ]);
  });

  it('has the same socket as a path and as a URL', async () => {
    const [path, url] = await Promise.all(
      ['unix:/run/opa.sock', 'unix:///run/opa.sock'].map(baseUrl =>
        readConfig(withOpa({ baseUrl })),
      ),
    );
    expect(url).toEqual(path);
    const baseUrl = ['unix:/run/opa.sock', 'unix:///run/opa.sock'];
    expect(await problems(withOpa({ baseUrl }))).toEqual([
      '~.sources.opa.baseUrl: names the same value twice',
    ]);
  });

  it.each<[setting: object, path: string, warning: string]>([
    ...['a.b', 'data.a.b', 'data/a/b', 'v1/data/a/b'].map(
      (entrypoint): [object, string, string] => [
        { entrypoint },
        'entrypoint',
        `OPA is asked at /v1/data/${entrypoint}; did you mean 'a/b'?`,
      ],
    ),
    ...['/v1', '/v1/data', '/v1/data/', '/v1/data/a/b'].map(
      (path): [object, string, string] => [
        { baseUrl: `http://opa:8181/x${path}` },
        'baseUrl',
        "the router adds /v1/data itself; did you mean 'http://opa:8181/x'?",
      ],
    ),
    [
      { baseUrl: ['http://opa:8181', 'http://opb:8181/v1/data'] },
      'baseUrl[1]',
      "the router adds /v1/data itself; did you mean 'http://opb:8181'?",
    ],
  ])('warns of the likely mistake in %j', async (setting, path, warning) => {
    expect(await warnings(withOpa(setting))).toEqual([
      `~.sources.opa.${path}: ${warning}`,
    ]);
  });

  it.each([
    { entrypoint: 'a/b.c' },
    { entrypoint: 'data' },
    { entrypoint: 'database/decision' },
    { baseUrl: 'http://opa:8181/v1/database' },
    { baseUrl: 'http://opa:8181/v10' },
    { baseUrl: 'http://v1/' },
    { baseUrl: 'unix:/v1/data' },
  ])('does not warn of %j', async setting => {
    expect(await warnings(withOpa(setting))).toEqual([]);
  });

  it.each([
    'unix:',
    'unix:/',
    'unix:run/opa.sock',
    'unix://run/opa.sock',
    'unix:////a',
  ])("has a socket by its absolute path, not '%s'", async baseUrl => {
    expect(await problems(withOpa({ baseUrl }))).toEqual([
      "~.sources.opa.baseUrl: must name a socket by its absolute path: 'unix:/path/to/socket'",
    ]);
  });

  it.each(['http://opa?token=1', 'http://opa/#top'])(
    "has a URL without query and fragment, not '%s'",
    async baseUrl => {
      expect(await problems(withOpa({ baseUrl }))).toEqual([
        '~.sources.opa.baseUrl: must not have a query or a fragment',
      ]);
    },
  );

  it('may have one URL in a list, which is the same as without', async () => {
    const one = (await readConfig(withOpa({ baseUrl: OPA.baseUrl }))).config;
    expect((await readConfig(withOpa({ baseUrl: [OPA.baseUrl] }))).config).toEqual(one);
  });

  it('has the endpoints of a list in its order', async () => {
    const baseUrl = ['https://b.example.com', 'https://a.example.com/opa', 'unix:/c'];
    expect(
      (await readConfig(withOpa({ baseUrl }))).config.sources.get('opa'),
    ).toMatchObject({
      remote: { endpoints: baseUrl },
    });
  });

  it.each<Row>([
    [
      'an empty list',
      withOpa({ baseUrl: [] }),
      '~.sources.opa.baseUrl: is an empty list; name one or more URLs. If app-config has variables (${…}) in it, they are not set',
    ],
    [
      'a URL twice',
      withOpa({ baseUrl: ['http://a', 'http://b', 'http://a'] }),
      '~.sources.opa.baseUrl: names the same value twice',
    ],
    [
      'a server with and without a slash at its end',
      withOpa({ baseUrl: ['http://a/opa', 'http://b', 'http://a/opa/'] }),
      '~.sources.opa.baseUrl: names the same server twice',
    ],
    [
      'a server in other letters, with the port it has anyway',
      withOpa({ baseUrl: ['http://opa', 'HTTP://OPA:80/'] }),
      '~.sources.opa.baseUrl: names the same server twice',
    ],
    [
      'a socket twice',
      withOpa({ baseUrl: ['unix:/run/opa.sock', 'unix:/run/opa.sock/'] }),
      '~.sources.opa.baseUrl: names the same server twice',
    ],
    [
      'values that are not URLs, each with its place in the list',
      withOpa({ baseUrl: ['http://a', 'ftp://b', 8181, '', 'http://c?x=1'] }),
      "~.sources.opa.baseUrl[1]: must be 'http://…', 'https://…' or 'unix:/path/to/socket'",
      "~.sources.opa.baseUrl[2]: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
      "~.sources.opa.baseUrl[3]: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket', not empty",
      '~.sources.opa.baseUrl[4]: must not have a query or a fragment',
    ],
    [
      'a number',
      withOpa({ baseUrl: 8181 }),
      "~.sources.opa.baseUrl: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
    ],
    [
      'an object',
      withOpa({ baseUrl: { 0: 'http://a' } }),
      "~.sources.opa.baseUrl: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
    ],
    [
      'nothing',
      withOpa({ baseUrl: null }),
      "~.sources.opa.baseUrl: must be a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
    ],
  ])('does not take for its endpoints %s', expectProblems);

  it('of different paths on one server has two endpoints', async () => {
    expect(
      await problems(withOpa({ baseUrl: ['http://a/one', 'http://a/two'] })),
    ).toEqual([]);
  });

  it('has an entrypoint of whole segments', async () => {
    expect(await problems(withOpa({ entrypoint: 'a//b' }))).toEqual([
      "~.sources.opa.entrypoint: must be segments joined by '/', such as 'backstage_policy/decision'",
    ]);
  });
});

describe('secrets', () => {
  it.each<Row>([
    [
      'auth is an object',
      withOpa({ auth: 'hunter2' }),
      '~.sources.opa.auth: must be an object of token',
    ],
    [
      'a token is required in auth',
      withOpa({ auth: {} }),
      '~.sources.opa.auth.token: is required: a bearer token. It is not set; if it is ${OPA_TOKEN} in app-config, that environment variable is not set',
    ],
    [
      'a token is not empty',
      withOpa({ auth: { token: '' } }),
      '~.sources.opa.auth.token: must be a bearer token, not empty',
    ],
    [
      'a token is text',
      withOpa({ auth: { token: 12345 } }),
      '~.sources.opa.auth.token: must be a bearer token',
    ],
    [
      'a token has no white space',
      withOpa({ auth: { token: 'a token\n' } }),
      '~.sources.opa.auth.token: must be a bearer token: 8 or more printable characters without white space',
    ],
    [
      'a key belongs to its certificate',
      withOpa({ tls: { cert: CERT, key: tlsFixture('server.key') } }),
      '~.sources.opa.tls: cannot be used; check that each text is complete, and that key belongs to cert',
    ],
    [
      'a key is complete',
      withOpa({ tls: { cert: CERT, key: KEY.slice(0, 60) } }),
      '~.sources.opa.tls: cannot be used; check that each text is complete, and that key belongs to cert',
    ],
    [
      'a key is PEM text',
      withOpa({ tls: { cert: CERT, key: 'hunter2' } }),
      `~.sources.opa.tls.key: must be the key of the client certificate ${PEM_HINT}`,
    ],
    [
      'a certificate is PEM text',
      withOpa({ tls: { cert: './cert.pem', key: KEY } }),
      `~.sources.opa.tls.cert: must be a client certificate ${PEM_HINT}`,
    ],
    [
      'an authority is PEM text',
      withOpa({ tls: { ca: './ca.pem' } }),
      `~.sources.opa.tls.ca: must be a certificate authority ${PEM_HINT}`,
    ],
    [
      'a certificate needs its key',
      withOpa({ tls: { cert: CERT } }),
      '~.sources.opa.tls: needs both cert and key, or neither',
    ],
    [
      'a key needs its certificate',
      withOpa({ tls: { ca: CA, key: KEY } }),
      '~.sources.opa.tls: needs both cert and key, or neither',
    ],
    [
      'tls is not empty',
      withOpa({ tls: {} }),
      '~.sources.opa.tls: is empty; give ca, or cert and key. If app-config has variables (${…}) in it, they are not set',
    ],
    [
      'tls has no misspelt key',
      withOpa({ tls: { ca: CA, insecure: true } }),
      '~.sources.opa.tls: unknown key; allowed: ca, cert, key',
    ],
    [
      'a token is longer than a word',
      withOpa({ auth: { token: 'catalog' } }),
      '~.sources.opa.auth.token: must be a bearer token: 8 or more printable characters without white space',
    ],
    [
      'a URL has no line end in it',
      withOpa({ baseUrl: ['http://one.example.com', 'http://ot\nher.example.com'] }),
      '~.sources.opa.baseUrl[1]: must not contain white space or control characters',
    ],
    [
      'a socket has no NUL in its path',
      withOpa({ baseUrl: 'unix:/run/opa\0.sock' }),
      '~.sources.opa.baseUrl: must not contain white space or control characters',
    ],
    [
      'a socket has a path that the system takes',
      withOpa({ baseUrl: `unix:/${'x'.repeat(107)}` }),
      '~.sources.opa.baseUrl: must name a socket by a path of at most 107 bytes',
    ],
    [
      'a token without its colon is not repeated',
      withOpa({ auth: { 'token hunter2': null } }),
      '~.sources.opa.auth.token: is required: a bearer token. It is not set; if it is ${OPA_TOKEN} in app-config, that environment variable is not set',
      '~.sources.opa.auth: unknown key; allowed: token',
    ],
    [
      'tls needs https',
      withOpa({ baseUrl: 'http://127.0.0.1:8181', tls: { ca: CA } }),
      '~.sources.opa.tls: has no effect unless baseUrl is https://…',
    ],
    [
      'tls is not for sockets',
      withOpa({ baseUrl: 'unix:/run/opa.sock', tls: { ca: CA } }),
      '~.sources.opa.tls: has no effect unless baseUrl is https://…',
    ],
    [
      'tls is not for a list with another scheme in it, which is named',
      withOpa({ baseUrl: ['https://a', 'http://b', 'https://c'], tls: { ca: CA } }),
      '~.sources.opa.tls: has no effect unless baseUrl is https://…, and http://b is not',
    ],
    [
      'credentials in one URL of a list are refused',
      withOpa({ baseUrl: ['https://a', 'https://olivia:hunter2@b'] }),
      '~.sources.opa.baseUrl[1]: must not contain credentials; put a token in auth.token',
    ],
    [
      'credentials in the URL are refused',
      withOpa({ baseUrl: 'https://olivia:hunter2@opa.example.com' }),
      '~.sources.opa.baseUrl: must not contain credentials; put a token in auth.token',
    ],
    [
      'a user without password in the URL is refused',
      withOpa({ baseUrl: 'https://hunter2@opa.example.com' }),
      '~.sources.opa.baseUrl: must not contain credentials; put a token in auth.token',
    ],
  ])('%s', expectAmong);

  const SECRET = 'hunter2-hunter2';
  it.each([
    ['a token in place of auth', { auth: SECRET }],
    ['a token of two words', { auth: { token: `${SECRET} ${SECRET}` } }],
    ['a token in a list', { auth: { token: [SECRET] } }],
    ['a token in an object', { auth: { token: { value: SECRET } } }],
    ['a token under a misspelt key', { auth: { tokn: SECRET } }],
    ['a list of tokens', { auth: [SECRET] }],
    ['a key in place of tls', { tls: SECRET }],
    ['a key that is not PEM text', { tls: { cert: CERT, key: SECRET } }],
    ['a key in a list', { tls: { cert: CERT, key: [SECRET] } }],
    ['a key without its certificate', { tls: { key: `${KEY}${SECRET}` } }],
    ['a certificate that is not PEM text', { tls: { cert: SECRET, key: KEY } }],
    ['a broken key', { tls: { cert: CERT, key: KEY.replace('\n', `\n${SECRET}`) } }],
    ['credentials in a URL', { baseUrl: `https://a:${SECRET}@opa` }],
    ['credentials in a URL of no host', { baseUrl: `https://a:${SECRET}@` }],
    ['credentials in a URL of another scheme', { baseUrl: `ftp://a:${SECRET}@opa` }],
    ['credentials in a URL with one slash', { baseUrl: `https:/a:${SECRET}@opa` }],
    ['credentials in a URL in a list', { baseUrl: [`https://a:${SECRET}@opa`] }],
    ['a token in the query of a URL', { baseUrl: `https://opa?token=${SECRET}` }],
  ])('are not printed: %s', async (_what, changes) => {
    const error = await errorOf(withOpa(changes));
    expect(error).toBeDefined();
    expect(
      JSON.stringify([error?.message, error?.problems, error?.stack]),
    ).not.toContain(SECRET);
  });
});
