/**
 * Secrets never leak: no log line of any level, no trace, no response to a caller and no error
 * contains the OPA token, a key or a user's token. Callers also learn nothing about the
 * policy.
 */
import { inspect } from 'node:util';
import { ConfigError } from '../../src/config/types';
import { readConfig } from '../../src/config/read';
import policyRouterModule from '../../src/index';
import {
  basic,
  onEntity,
  startBackend,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { CapturedLogs } from '../support/captured-logs';
import { operations } from '../support/operations';
import { startOpa } from '../support/opa-server';
import {
  answer,
  startStub,
  type Behaviour,
  type StubServer,
} from '../support/stub-server';
import { tlsFixture } from '../support/tls-fixture';
import { describeWithOpa, requireOpa } from '../support/with-opa';

/** Contains characters that some servers escape in JSON. */
const TOKEN = 'tok<&>en.5Zq0_kM~c2';
/** Consists of characters that may appear in an OPA error code. */
const PLAIN_TOKEN = 'sesame_open_please';
/** Is in every answer of the stub and must not be in any response to a caller. */
const OF_POLICY = 'the-policy-says-this';

/** Everything that is passed to a logger. */
const logged: unknown[] = [];

beforeAll(() => {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with `this`
  const original = CapturedLogs.prototype.logger;
  jest.spyOn(CapturedLogs.prototype, 'logger').mockImplementation(function (
    this: CapturedLogs,
    bound,
  ) {
    const logger = original.call(this, bound);
    for (const level of ['error', 'warn', 'info', 'debug'] as const) {
      const write = logger[level].bind(logger);
      logger[level] = (message: string, meta?: object) => {
        logged.push([message, meta]);
        write(message, meta);
      };
    }
    return logger;
  });
});

afterAll(() => jest.restoreAllMocks());

beforeEach(() => (logged.length = 0));

/** Everything that can be seen of a value, including hidden properties, causes and stacks. */
const seen = (value: unknown): string =>
  inspect(value, {
    depth: Infinity,
    showHidden: true,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Infinity,
  }) + (JSON.stringify(value) ?? '');

/** Each line of a multi-line secret, such as a key, is a secret too. */
function expectNothingOf(secrets: readonly string[], ...shown: unknown[]): void {
  const text = shown.map(seen).join('\n');
  const lines = secrets
    .flatMap(secret => secret.split('\n'))
    .filter(line => line !== '' && !line.startsWith('-----'));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter(line => text.includes(line))).toEqual([]);
}

interface Answered {
  readonly status: number;
  readonly headers: object;
  readonly text: string;
}

async function ask(
  backend: RunningBackend,
  token: string | undefined,
  body: unknown,
): Promise<Answered> {
  const response = await fetch(`${backend.url}/api/permission/authorize`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text: await response.text(),
  };
}

/** Everything that the operations API says to somebody. */
async function shownTo(backend: RunningBackend, token: string): Promise<object[]> {
  const api = operations(backend.url, token);
  const { body } = await api.get('decisions');
  const decisions = (body.decisions ?? []) as Array<{ number: number }>;
  return [
    body,
    ...(await Promise.all(
      decisions.map(({ number }) => api.get(`decisions/${number}`)),
    )),
    ...(await Promise.all(['table', 'sources', 'coverage'].map(path => api.get(path)))),
    ...(await Promise.all(
      [onEntity('odd.thing', 'read'), onEntity('catalog.entity.read', 'read')].map(
        ({ permission, resourceRef }) =>
          api.post('explain', { permission, resource: resourceRef }),
      ),
    )),
    await api.post('diff', {
      routing: 'fallback: deny\nroutes: [{ prefix: odd, sources: [opa, odd, no] }]',
    }),
    await api.post('diff', { routing: 'fallback: { $env: PATH }' }),
  ];
}

const batch = (...questions: Question[]): object => ({
  items: questions.map((question, index) => ({ id: String(index), ...question })),
});

describeWithOpa(
  'with a real OPA that requires a token, over TLS with a client certificate',
  () => {
    it.each([
      ['a correct token', 'a-secret-token', 'ALLOW'],
      ['a wrong token', 'a-wrong-secret-token', 'DENY'],
    ])(
      "%s does not leak, nor does the key or the user's Backstage token",
      async (_what, token, result) => {
        const opa = await startOpa({
          binary: requireOpa(),
          policies: ['config/policies', 'test/fixtures/policies/authz.rego'],
          args: [
            ...['--tls-cert-file', 'test/fixtures/tls/server.pem'],
            ...['--tls-private-key-file', 'test/fixtures/tls/server.key'],
            ...['--authentication', 'token', '--authorization', 'basic'],
            // The health endpoint stays on plain HTTP, so that the test can see when OPA is ready.
            ...['--diagnostic-addr', '127.0.0.1:0'],
          ],
        });
        const tls = {
          ca: tlsFixture('ca.pem'),
          cert: tlsFixture('client.pem'),
          key: tlsFixture('client.key'),
        };
        const backend = await startBackend({
          policyRouter: {
            fallback: 'deny',
            operators: ['group:default/platform'],
            audit: 'all',
            sources: {
              opa: {
                type: 'opa',
                baseUrl: opa.url.replace('http:', 'https:'),
                entrypoint: 'backstage_policy/decision',
                auth: { token },
                tls,
              },
            },
            routes: [{ prefix: 'catalog', sources: ['opa'] }],
          },
        });
        try {
          const petra = await backend.signIn('petra');
          const given = await ask(
            backend,
            petra,
            batch(basic('catalog.location.create', 'create')),
          );
          expect(JSON.parse(given.text)).toEqual({ items: [{ id: '0', result }] });
          await backend.logs.waitFor(`${result} "catalog.location.create"`);
          const secrets = [
            token,
            tls.ca,
            tls.cert,
            tls.key,
            petra,
            petra.split('.')[2]!,
          ];
          const shown = await shownTo(backend, petra);
          expect(seen(shown)).toContain(result);
          expectNothingOf(secrets, logged, backend.traces, given, shown);
        } finally {
          await backend.stop();
          await opa.stop();
        }
      },
    );
  },
);

/** The credentials of a request, which the servers below repeat in different places. */
const credentialsOf = (request: string): string =>
  /^authorization: (.*)\r$/im.exec(request)?.[1] ?? '';

const asJson = (value: unknown): string =>
  // Escapes as Go's encoder does.
  JSON.stringify(value).replace(
    /[<>&]/g,
    character => `\\u00${character.charCodeAt(0).toString(16)}`,
  );

const echoes: Record<string, (credentials: string) => Behaviour> = {
  'an error of OPA': credentials =>
    answer(
      asJson({
        code: credentials.replace('Bearer ', ''),
        message: `unauthorized: ${credentials} ${OF_POLICY}`,
        errors: [{ code: credentials.replace('Bearer ', ''), message: OF_POLICY }],
      }),
      '500 Internal Server Error',
    ),
  'an error page of a gateway': credentials =>
    answer(`<pre>${OF_POLICY} Authorization: ${credentials}</pre>`, '400 Bad Request'),
  'a page with status 200': credentials =>
    answer(`<pre>${credentials}</pre> ${OF_POLICY}`),
  'a redirect': credentials =>
    answer('', '302 Found', `location: /login?token=${credentials}#${OF_POLICY}\r\n`),
  'a header and the reason phrase': credentials =>
    answer(
      asJson({ result: OF_POLICY }),
      `200 ${credentials}`,
      `x-echo: ${credentials}\r\n`,
    ),
  'an answer that is not HTTP': credentials => socket =>
    socket.end(`${credentials}\r\n${OF_POLICY}\r\n\r\n`),
  'a key beside the result': credentials =>
    answer(asJson({ result: { result: 'ALLOW', [credentials]: OF_POLICY } })),
  'a key beside an ALLOW': credentials =>
    answer(asJson({ result: { result: 'ALLOW' }, headers: [OF_POLICY, credentials] })),
  'a parameter': credentials =>
    answer(
      asJson({ result: conditional({ params: { claims: [credentials, OF_POLICY] } }) }),
    ),
  'a rule': credentials =>
    answer(asJson({ result: conditional({ rule: `${OF_POLICY} ${credentials}` }) })),
  'a plugin': credentials =>
    answer(
      asJson({
        result: { ...conditional({}), pluginId: `${credentials} ${OF_POLICY}` },
      }),
    ),
};

const conditional = (leaf: object): object => ({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions: {
    rule: 'IS_ENTITY_OWNER',
    resourceType: 'catalog-entity',
    params: { claims: [OF_POLICY] },
    ...leaf,
  },
});

describe('with a server that repeats the credentials', () => {
  let stub: StubServer;
  let backend: RunningBackend;
  let nolan: string;
  let petra: string;
  let requests: string[];

  const source = (token: string): object => ({
    type: 'opa',
    baseUrl: stub.url,
    entrypoint: 'a/b',
    onUnavailable: 'fail-open',
    auth: { token },
    circuitBreaker: { volumeThreshold: 1_000_000 },
  });

  beforeAll(async () => {
    stub = await startStub(() => {});
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        operators: ['group:default/platform'],
        audit: 'all',
        sources: { odd: source(TOKEN), plain: source(PLAIN_TOKEN) },
        routes: [
          { prefix: 'odd', sources: ['odd'] },
          { prefix: 'plain', sources: ['plain'] },
          { prefix: 'sibling', sources: ['allow'] },
        ],
      },
    });
    nolan = await backend.signIn('nolan');
    petra = await backend.signIn('petra');
  });

  afterAll(async () => {
    await backend.stop();
    await stub.stop();
  });

  beforeEach(() => {
    requests = [];
    backend.traces.length = 0;
  });

  const put = (behave: (credentials: string) => Behaviour): void =>
    stub.become((socket, request) => {
      requests.push(request);
      behave(credentialsOf(request))(socket, request);
    });

  const questions = batch(
    onEntity('odd.thing', 'read'),
    onEntity('plain.thing', 'read'),
    basic('sibling', 'read'),
  );

  it.each(Object.entries(echoes))(
    'in %s, the decision is DENY and neither token nor policy leaks',
    async (_where, behave) => {
      put(behave);
      const given = await ask(backend, nolan, questions);
      expect({ ...given, headers: undefined }).toEqual({
        status: 200,
        text: '{"items":[{"id":"0","result":"DENY"},{"id":"1","result":"DENY"},{"id":"2","result":"ALLOW"}]}',
      });
      // The tokens did reach the server, and nothing of the user did.
      expect(requests.map(credentialsOf).sort()).toEqual(
        [TOKEN, PLAIN_TOKEN].map(token => `Bearer ${token}`).sort(),
      );
      const ofUser = [nolan, nolan.split('.')[2]!];
      expectNothingOf(ofUser, requests);
      expectNothingOf([TOKEN, PLAIN_TOKEN, ...ofUser], logged, backend.traces, given);
      expectNothingOf([OF_POLICY], given);
      const toOperators = await shownTo(backend, petra);
      expect(seen(toOperators)).toContain('odd.thing');
      const toOthers = await shownTo(backend, nolan);
      const secrets = [TOKEN, PLAIN_TOKEN, ...ofUser, petra];
      expectNothingOf(secrets, toOperators, toOthers, logged);
      expectNothingOf([OF_POLICY, 'ownershipEntityRefs', 'group:'], toOthers);
    },
  );

  it('in a decision, the response has only id and result for ALLOW, DENY or a condition', async () => {
    for (const says of [{ result: 'ALLOW' }, { result: 'DENY' }, conditional({})]) {
      put(() => answer(asJson({ result: says, explanation: OF_POLICY })));
      const given = await ask(backend, nolan, questions);
      const { items } = JSON.parse(given.text) as { items: object[] };
      expect(items.map(item => Object.keys(item))).toEqual(
        Array.from({ length: 3 }, () => ['id', 'result']),
      );
      expectNothingOf([OF_POLICY, TOKEN, PLAIN_TOKEN], given);
    }
  });

  it('in a condition, an error of the host contains nothing from the router', async () => {
    put(() => answer(asJson({ result: conditional({}) })));
    for (const [status, token, body] of [
      [400, nolan, { items: [{ id: '0', permission: { name: 'odd' } }] }],
      [
        400,
        nolan,
        batch({ ...onEntity('odd', 'read'), resourceRef: undefined as never }),
      ],
      [401, 'no-token', questions],
    ] as const) {
      const given = await ask(backend, token, body);
      expect(given.status).toBe(status);
      expectNothingOf([OF_POLICY, TOKEN, 'policyRouter', 'odd.thing', 'a/b'], given);
    }
  });
});

/** Secrets in the wrong place or form; all contain SECRET. */
const SECRET = 'hunter2-hunter2';
const PEM = tlsFixture('client.key').replace('\n', `\n${SECRET}\n`);

const misconfigured: Record<string, object> = {
  'a token with whitespace': { auth: { token: `${SECRET} x` } },
  'a token with a line break': { auth: { token: `${SECRET}\n` } },
  'a token that is not a string': { auth: { token: [SECRET] } },
  'a token under a misspelt key': { auth: { tokne: SECRET } },
  'a token without a key': { auth: SECRET },
  'a token in the wrong place': { token: SECRET },
  'a token in the URL': { baseUrl: `https://opa:${SECRET}@127.0.0.1` },
  'a token in the query of the URL': { baseUrl: `https://127.0.0.1/?token=${SECRET}` },
  'a token in one of several URLs': {
    baseUrl: ['https://127.0.0.1', `http://opa:${SECRET}@127.0.0.1`],
    tls: { ca: tlsFixture('ca.pem') },
  },
  'a key that is broken': { tls: { cert: tlsFixture('client.pem'), key: PEM } },
  'a key in another format': { tls: { cert: tlsFixture('client.pem'), key: SECRET } },
  'a key without a certificate': { tls: { key: PEM } },
  'a certificate that is broken': { tls: { ca: PEM } },
  'a key that is not a string': { tls: { key: { PEM } } },
  'a key without a field': { tls: PEM },
};

const withSource = (source: object): object => ({
  fallback: 'deny',
  sources: {
    opa: { type: 'opa', baseUrl: 'https://127.0.0.1', entrypoint: 'a/b', ...source },
  },
  routes: [{ prefix: 'tested', sources: ['opa'] }],
});

describe('a config error', () => {
  it.each(Object.entries(misconfigured))(
    'about %s does not quote the secret',
    async (_what, source) => {
      let error: unknown;
      try {
        await readConfig(withSource(source));
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(ConfigError);
      expectNothingOf([SECRET, PEM], error);
    },
  );

  it('does not quote the secret when the backend starts', async () => {
    for (const source of Object.values(misconfigured).slice(-4)) {
      const error: unknown = await startBackend({
        policyRouter: withSource(source),
      }).catch((reason: unknown) => reason);
      expect(seen(error)).toContain('permission.policyRouter.sources.opa');
      expectNothingOf([SECRET, PEM], error, logged);
    }
  });

  it('does not quote it when the config changes', async () => {
    const backend = await startBackend({
      policyRouter: withSource({ auth: { token: TOKEN } }),
    });
    try {
      await backend.signIn('nolan');
      for (const name of ['a token with whitespace', 'a key that is broken']) {
        const since = backend.logs.lines.length;
        await backend.writeConfig(withSource(misconfigured[name]!));
        await backend.logs.waitFor('The changed config is not used', since);
      }
      expectNothingOf([TOKEN, SECRET, PEM], logged);
    } finally {
      await backend.stop();
    }
  });
});

it('what the package exports holds nothing of a config', async () => {
  const backend = await startBackend({
    policyRouter: withSource({ auth: { token: TOKEN } }),
  });
  await backend.signIn('nolan');
  await backend.stop();
  expectNothingOf([TOKEN], policyRouterModule, logged);
});
