/** Plugins are real sockets here, and most of them misbehave. */
import type { Socket } from 'node:net';
import type {
  AuthService,
  BackstageCredentials,
  BackstageServicePrincipal,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import { rulesIn, type RuleMetadata } from '../../src/conditions/rule-metadata';
import { READ_TIMEOUT, readPluginMetadata } from '../../src/declared/plugin-metadata';
import { pluginAsker } from '../../src/lib/plugin-request';
import {
  answer,
  silence,
  startStub,
  type Behaviour,
  type StubServer,
} from '../support/stub-server';

const MEBIBYTE = 1024 * 1024;
const body = '{"rules":[{"name":"A","resourceType":"thing"}]}';

let stub: StubServer;
/** The requests that arrived, head and all. */
let received: string[];

beforeEach(async () => {
  stub = await startStub(silence);
  received = [];
});
afterEach(() => stub.stop());

const ourselves = { principal: {} } as BackstageCredentials<BackstageServicePrincipal>;

/** The tokens say on whose behalf and for which plugin they were issued. */
const auth = {
  getOwnServiceCredentials: async () => ourselves,
  getPluginRequestToken: async ({ onBehalfOf, targetPluginId }) => ({
    token: `${onBehalfOf === ourselves ? 'ours' : 'another'}-for-${targetPluginId}`,
  }),
} as Partial<AuthService> as AuthService;

const discovery = {
  getBaseUrl: async pluginId => `${stub.url}/api/${pluginId}`,
} as DiscoveryService;

const read = async (services: object = {}): Promise<RuleMetadata> =>
  rulesIn(
    await readPluginMetadata('catalog', pluginAsker({ discovery, auth, ...services })),
  );

/** Reads a large body; again if the machine was too busy to deliver it in time. */
async function readLarge(): Promise<RuleMetadata> {
  const isLate = (metadata: RuleMetadata): boolean =>
    metadata.kind === 'unread' &&
    metadata.why === `no answer within ${READ_TIMEOUT} ms`;
  let metadata = await read();
  for (let time = 0; time < 4 && isLate(metadata); time++) metadata = await read();
  return metadata;
}

function plugin(behaviour: Behaviour): void {
  stub.become((socket, request) => {
    received.push(request);
    behaviour(socket, request);
  });
}

const unread = (why: unknown): object => ({ kind: 'unread', why });
const none = (why: string): object => ({ kind: 'none', why });
const NO_METADATA = none('its answer is not permission metadata');

/** Whether this rule was read. */
const has = (metadata: RuleMetadata, rule: string): boolean =>
  metadata.kind === 'published' && metadata.rules.get('thing', rule) !== undefined;

describe('the rules of a plugin', () => {
  it('are read where Backstage publishes them, with a token of ours for that plugin', async () => {
    plugin(answer(body));
    const metadata = await read();
    expect([has(metadata, 'A'), has(metadata, 'B')]).toEqual([true, false]);
    expect(received).toHaveLength(1);
    expect(received[0]).toMatch(
      /^GET \/api\/catalog\/\.well-known\/backstage\/permissions\/metadata HTTP\/1\.1\r\n/,
    );
    expect(received[0]).toMatch(/\r\nauthorization: Bearer ours-for-catalog\r\n/i);
  });

  it('are read without a token if there is none', async () => {
    plugin(answer(body));
    const getPluginRequestToken = async () => ({ token: '' });
    const metadata = await read({ auth: { ...auth, getPluginRequestToken } });
    expect(has(metadata, 'A')).toBe(true);
    expect(received[0]).not.toMatch(/authorization/i);
  });

  it.each([
    ['no rules', '{"rules":[]}'],
    [
      'rules without a schema',
      '{"permissions":[],"rules":[{"name":"B","resourceType":"t"}]}',
    ],
    [
      'a rule with keys that we do not know',
      body.replace('"name"', '"new":[1],"name"'),
    ],
  ])('may be %s', async (_what, text) => {
    plugin(answer(text));
    expect((await read()).kind).toBe('published');
  });

  it('may arrive in pieces, cut anywhere', async () => {
    const name = `x${'ä'.repeat(300_000)}`;
    plugin(answer(body.replace('"A"', JSON.stringify(name))));
    expect(has(await read(), name)).toBe(true);
  });

  it('have at most four mebibytes', async () => {
    const large = body + ' '.repeat(4 * MEBIBYTE - body.length);
    plugin(answer(large));
    expect(has(await readLarge(), 'A')).toBe(true);
    plugin(answer(`${large} `));
    expect(await readLarge()).toEqual(unread('its answer has more than 4194304 bytes'));
  });

  it('are not read without limit', async () => {
    plugin(socket => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const chunk = `100000\r\n${' '.repeat(MEBIBYTE)}\r\n`;
      const write = (): void => void socket.write(chunk, error => error ?? write());
      write();
    });
    expect(await readLarge()).toEqual(unread('its answer has more than 4194304 bytes'));
    await stub.untilOpen(0);
  });
});

describe('a plugin does not exist, or has no rules, if it answers', () => {
  it.each([
    ['404', answer('{}', '404 Not Found'), none('HTTP 404')],
    ['404 with rules', answer(body, '404 Not Found'), none('HTTP 404')],
    ['400', answer(body, '400 Bad Request'), none('HTTP 400')],
    ['410', answer(body, '410 Gone'), none('HTTP 410')],
    ['201', answer(body, '201 Created'), none('HTTP 201')],
    ['nothing at all', answer('', '204 No Content'), none('HTTP 204')],
    ['404 with much', answer('x'.repeat(MEBIBYTE), '404 Not Found'), none('HTTP 404')],
    ['a page', answer('<!doctype html><title>Backstage</title>'), NO_METADATA],
    ['nothing', answer(''), NO_METADATA],
    ['half of it', answer(body.slice(0, -5)), NO_METADATA],
    ['null', answer('null'), NO_METADATA],
    ['a list', answer('[]'), NO_METADATA],
    ['no rules', answer('{"permissions":[]}'), NO_METADATA],
    ['rules that are not a list', answer('{"rules":{}}'), NO_METADATA],
    ['a rule without a name', answer('{"rules":[{"resourceType":"t"}]}'), NO_METADATA],
    ['a rule without a type', answer('{"rules":[{"name":"A"}]}'), NO_METADATA],
    ['a name that is not a string', answer(body.replace('"A"', '7')), NO_METADATA],
    ['a type that is not a string', answer(body.replace('"thing"', '{}')), NO_METADATA],
    ['one invalid rule', answer(body.replace(']', ',null]')), NO_METADATA],
  ])('%s', async (_what, behaviour, expected) => {
    plugin(behaviour);
    expect(await read()).toEqual(expected);
  });

  it.each(['301 Moved', '302 Found', '303 See Other', '307 T', '308 P'])(
    'a redirect, %s, which is not followed, and does not get the token',
    async status => {
      const elsewhere = await startStub(answer(body));
      try {
        for (const location of [`${elsewhere.url}/rules`, '/login']) {
          plugin(answer(body, status, `location: ${location}\r\n`));
          expect(await read()).toEqual(none(`HTTP ${status.slice(0, 3)}`));
        }
        expect(received).toHaveLength(2);
        expect(elsewhere.requests()).toBe(0);
      } finally {
        await elsewhere.stop();
      }
    },
  );

  it.each(['401 Unauthorized', '403 Forbidden'])(
    '%s to a name in another case: its token is for no plugin',
    async status => {
      plugin(answer(body, status));
      const services = { discovery, auth };
      const why = `HTTP ${status.slice(0, 3)}`;
      expect(
        rulesIn(await readPluginMetadata('Catalog', pluginAsker(services))),
      ).toEqual(none(why));
      expect(
        rulesIn(await readPluginMetadata('catalog', pluginAsker(services))),
      ).toEqual(unread(why));
      plugin(answer(body, '503 Service Unavailable'));
      expect(
        rulesIn(await readPluginMetadata('Catalog', pluginAsker(services))),
      ).toEqual(unread('HTTP 503'));
    },
  );
});

describe('the rules are unknown of a plugin that', () => {
  const reset: Behaviour = socket => void socket.resetAndDestroy();
  const cut: Behaviour = (socket: Socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"rules":[');

  it.each([
    ['refuses the token', answer(body, '401 Unauthorized'), /^HTTP 401$/],
    ['forbids it', answer(body, '403 Forbidden'), /^HTTP 403$/],
    ['is slow to be asked', answer(body, '408 Request Timeout'), /^HTTP 408$/],
    ['finds it too early', answer(body, '425 Too Early'), /^HTTP 425$/],
    ['limits the rate', answer(body, '429 Too Many Requests'), /^HTTP 429$/],
    ['fails', answer('secret', '500 Internal Server Error'), /^HTTP 500$/],
    ['is not ready', answer(body, '503 Service Unavailable'), /^HTTP 503$/],
    ['fails in its own way', answer(body, '599 Failure'), /^HTTP 599$/],
    [
      'does not speak HTTP',
      socket => socket.end('secret\r\n\r\n'),
      /^(HTTPParserError|HPE_\w+)$/,
    ],
    ['resets the connection', reset, /^(ECONNRESET|UND_ERR_SOCKET)$/],
    ['closes the connection', socket => socket.end(), /^(ECONNRESET|UND_ERR_SOCKET)$/],
    ['ends within its answer', cut, /^\w+$/],
  ] as Array<[string, Behaviour, RegExp]>)('%s', async (_what, behaviour, why) => {
    plugin(behaviour);
    expect(await read()).toEqual(unread(expect.stringMatching(why)));
    expect(received).toHaveLength(1);
  });

  it('is down', async () => {
    await stub.stop();
    expect(await read()).toEqual(unread('ECONNREFUSED'));
  });

  it('hangs, or whose discovery or token service hangs: the wait ends after a second', async () => {
    const never = (): Promise<never> => new Promise(() => {});
    const open = await startStub(socket => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n${body}`);
    });
    const slowly = { getBaseUrl: async () => open.url };
    plugin(silence);
    const readings = [
      read(),
      read({ discovery: slowly }),
      read({ discovery: { getBaseUrl: never } }),
      read({ auth: { ...auth, getOwnServiceCredentials: never } }),
      read({ auth: { ...auth, getPluginRequestToken: never } }),
    ];
    const late = unread(`no answer within ${READ_TIMEOUT} ms`);
    expect(READ_TIMEOUT).toBe(1000);
    expect(await Promise.all(readings)).toEqual([late, late, late, late, late]);
    await stub.untilOpen(0);
    await open.untilOpen(0);
    expect([stub.requests(), open.requests()]).toEqual([1, 1]);
    await open.stop();
  });

  const secret = Object.assign(new TypeError('secret'), { cause: 'secret' });
  const withCode = Object.assign(new Error('secret'), { code: 'ENOTFOUND' });

  it.each<[string, () => unknown, string]>([
    ['throws', () => raise(secret), 'TypeError'],
    ['rejects', () => Promise.reject(secret), 'TypeError'],
    ['rejects with a code', () => Promise.reject(withCode), 'ENOTFOUND'],
    ['throws text', () => raise('secret'), 'an unknown error'],
    ['rejects with nothing', async () => raise(undefined), 'an unknown error'],
    ['rejects with null', async () => raise(null), 'an unknown error'],
    [
      'has a code that is not a string',
      () => raise({ code: { secret: 1 } }),
      'an unknown error',
    ],
  ])(
    'cannot be asked as something %s; the error is named only',
    async (_what, fail, why) => {
      plugin(answer(body));
      for (const services of [
        { discovery: { getBaseUrl: fail } },
        { auth: { ...auth, getOwnServiceCredentials: fail } },
        { auth: { ...auth, getPluginRequestToken: fail } },
      ]) {
        expect(await read(services)).toEqual(unread(why));
      }
      expect(received).toEqual([]);
    },
  );

  it.each([
    ['URL', () => 'nowhere'],
    ['protocol', () => 'ftp://127.0.0.1'],
    ['text', () => undefined],
  ])('has a base URL that is not a valid %s', async (_what, getBaseUrl) => {
    expect(await read({ discovery: { getBaseUrl } })).toEqual(
      unread(expect.any(String)),
    );
  });

  it('needs a token that is not a valid header', async () => {
    const getPluginRequestToken = async () => ({ token: 'secret\r\nx: y' });
    const metadata = await read({ auth: { ...auth, getPluginRequestToken } });
    expect(metadata).toEqual(unread('UND_ERR_INVALID_ARG'));
    expect(stub.requests()).toBe(0);
  });
});

function raise(error: unknown): never {
  throw error;
}
