/**
 * What OPA itself will not do, done by a stub on a real socket, behind a real Backstage
 * backend: each fault denies its own item with HTTP 200, and its siblings are unaffected.
 * Every row runs fail-closed and fail-open; only an outage may open.
 */
import {
  authorize,
  onEntity,
  basic,
  startTestBackend,
  type TestBackend,
} from '../support/backend';
import {
  answer,
  decision,
  silence,
  startStub,
  type Behaviour,
  type StubServer,
} from '../support/stub-server';

const owner = {
  rule: 'IS_ENTITY_OWNER',
  resourceType: 'catalog-entity',
  params: { claims: [] },
};

const conditional = (more: object): unknown => ({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions: owner,
  ...more,
});

const withLeaf = (more: object): unknown =>
  conditional({ conditions: { ...owner, ...more } });

const raw =
  (text: string): Behaviour =>
  socket =>
    socket.end(text);

const allowWithoutEnd = '{"result":{"result":"ALLOW"}}';

interface Fault {
  readonly name: string;
  readonly does: Behaviour;
  readonly code: string;
  /** True where the failure is an outage, which fail-open opens. */
  readonly outage?: boolean;
}

const faults: readonly Fault[] = [
  { name: 'says nothing', does: silence, code: 'TIMEOUT', outage: true },
  {
    name: 'resets',
    does: socket => socket.resetAndDestroy(),
    code: 'ECONNRESET',
    outage: true,
  },
  {
    name: 'closes',
    does: socket => socket.end(),
    code: 'UND_ERR_SOCKET',
    outage: true,
  },
  {
    name: 'closes in the middle of the body',
    does: raw(`HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n${allowWithoutEnd}`),
    code: 'UND_ERR_SOCKET',
    outage: true,
  },
  {
    name: 'sends headers and then nothing',
    does: socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n'),
    code: 'TIMEOUT',
    outage: true,
  },
  {
    name: 'answers 502',
    does: answer('', '502 Bad Gateway'),
    code: 'HTTP_502',
    outage: true,
  },
  {
    name: 'answers 503',
    does: answer('', '503 Unavailable'),
    code: 'HTTP_503',
    outage: true,
  },
  {
    name: 'answers 504',
    does: answer('', '504 Timeout'),
    code: 'HTTP_504',
    outage: true,
  },
  { name: 'answers 429', does: answer('', '429 Too Many'), code: 'HTTP_429' },
  {
    name: 'answers 400',
    does: answer('{"code":"invalid_parameter"}', '400 Bad'),
    code: 'HTTP_400',
  },
  { name: 'answers 404', does: answer('', '404 Not Found'), code: 'HTTP_404' },
  { name: 'answers 500', does: answer('', '500 Error'), code: 'HTTP_500' },
  {
    name: 'redirects to an ALLOW',
    does: answer(allowWithoutEnd, '302 Found', 'location: /elsewhere\r\n'),
    code: 'HTTP_302',
  },
  {
    name: 'answers 201 with an ALLOW',
    does: answer(allowWithoutEnd, '201 Created'),
    code: 'HTTP_201',
  },
  { name: 'answers {}', does: answer('{}'), code: 'UNDEFINED_DECISION' },
  { name: 'answers null', does: answer('null'), code: 'BAD_JSON' },
  { name: 'answers a list', does: answer('[]'), code: 'BAD_JSON' },
  { name: 'answers HTML', does: answer('<html>'), code: 'BAD_JSON' },
  { name: 'answers nothing with 200', does: answer(''), code: 'BAD_JSON' },
  { name: 'answers no HTTP', does: raw('hello\r\n\r\n'), code: 'HTTPParserError' },
  {
    name: 'continues with 100',
    does: socket => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      answer(allowWithoutEnd)(socket, '');
    },
    code: 'UND_ERR_SOCKET',
  },
  {
    name: 'answers more than maxResponseBytes',
    does: answer(
      JSON.stringify({ result: { result: 'ALLOW' }, padding: 'x'.repeat(5000) }),
    ),
    code: 'OVERSIZED',
  },
  { name: 'answers true', does: decision(true), code: 'BAD_DECISION' },
  { name: 'answers "ALLOW"', does: decision('ALLOW'), code: 'BAD_DECISION' },
  {
    name: 'answers allow in lower case',
    does: decision({ result: 'allow' }),
    code: 'BAD_DECISION',
  },
  {
    name: 'answers ALLOW with conditions',
    does: decision(conditional({ result: 'ALLOW' })),
    code: 'BAD_DECISION',
  },
  {
    name: 'has no conditions',
    does: decision(conditional({ conditions: undefined })),
    code: 'BAD_DECISION',
  },
  {
    name: 'has an empty anyOf',
    does: decision(conditional({ conditions: { anyOf: [] } })),
    code: 'BAD_DECISION',
  },
  {
    name: 'has no pluginId',
    does: decision(conditional({ pluginId: undefined })),
    code: 'BAD_DECISION',
  },
  {
    name: 'conditions another resource type',
    does: decision(conditional({ resourceType: 'scaffolder-task' })),
    code: 'BAD_CONDITIONS',
  },
  {
    name: 'has a leaf of another resource type',
    does: decision(
      conditional({
        conditions: {
          not: { rule: 'IS_TASK_OWNER', resourceType: 'scaffolder-task', params: {} },
        },
      }),
    ),
    code: 'BAD_CONDITIONS',
  },
  {
    name: 'names a rule the plugin does not have',
    does: decision(withLeaf({ rule: 'IS_OWNER', params: { claims: [] } })),
    code: 'UNKNOWN_RULE',
  },
  {
    name: 'names such a rule deep down',
    does: decision(
      conditional({
        conditions: { anyOf: [owner, { not: { ...owner, rule: 'IS_OWNER' } }] },
      }),
    ),
    code: 'UNKNOWN_RULE',
  },
  {
    name: 'gives no parameters to a rule that needs them',
    does: decision(withLeaf({ rule: 'HAS_LABEL', params: undefined })),
    code: 'BAD_PARAMS',
  },
  {
    name: 'lacks a parameter',
    does: decision(withLeaf({ rule: 'HAS_LABEL', params: {} })),
    code: 'BAD_PARAMS',
  },
  {
    name: 'gives a parameter of another type',
    does: decision(withLeaf({ params: { claims: 'user:default/nolan' } })),
    code: 'BAD_PARAMS',
  },
  {
    name: 'misspells a parameter',
    does: decision(withLeaf({ rule: 'HAS_LABEL', params: { label: 'a', valeu: 'b' } })),
    code: 'BAD_PARAMS',
  },
  {
    name: 'names a plugin that is not there',
    does: decision(conditional({ pluginId: 'catalogue' })),
    code: 'UNKNOWN_PLUGIN',
  },
  {
    name: 'names another plugin',
    does: decision(conditional({ pluginId: 'auth' })),
    code: 'UNKNOWN_RULE',
  },
  {
    name: 'names no plugin but a path',
    does: decision(conditional({ pluginId: '../catalog' })),
    code: 'BAD_CONDITIONS',
  },
  {
    name: 'gives conditions over maxConditionBytes',
    does: decision(withLeaf({ params: { claims: ['x'.repeat(1000)] } })),
    code: 'CONDITIONS_TOO_LARGE',
  },
];

const routes = ['closed', 'open'] as const;
let stub: StubServer;
let backend: TestBackend;
let token: string;

beforeAll(async () => {
  stub = await startStub(silence);
  const source = {
    type: 'opa',
    baseUrl: stub.url,
    entrypoint: 'backstage_policy/decision',
    timeout: '150ms',
    maxResponseBytes: 2000,
    // The breaker has tests of its own; here every question is to reach the stub.
    circuitBreaker: { volumeThreshold: 1_000_000 },
  };
  backend = await startTestBackend({
    policyRouter: {
      fallback: 'deny',
      maxConditionBytes: 900,
      sources: {
        closed: source,
        open: { ...source, onUnavailable: 'fail-open' },
      },
      routes: [
        { prefix: 'sibling', sources: ['allow'] },
        ...routes.map(name => ({ prefix: name, sources: [name] })),
      ],
    },
  });
  token = await backend.signIn('nolan');
});

afterAll(async () => {
  await backend.stop();
  await stub.stop();
});

describe.each(faults)('an OPA that $name', ({ does, code, outage = false }) => {
  it.each(routes)('%s', async name => {
    stub.become(does);
    const batch = [
      basic('sibling.read', 'read'),
      onEntity(`${name}.entity.read`, 'read'),
      basic('sibling.read', 'read'),
    ];
    const expected = outage && name === 'open' ? 'ALLOW' : 'DENY';
    expect(await authorize(backend.url, token, batch)).toEqual({
      status: 200,
      results: ['ALLOW', expected, 'ALLOW'],
    });
    const trace = backend.traces.findLast(
      each => each.permission?.name === `${name}.entity.read`,
    );
    expect(trace?.sources[0]?.failure).toMatchObject({
      code,
      class: outage ? 'unavailable' : code === 'HTTP_429' ? 'overloaded' : 'invalid',
    });
    const line = backend.logs.lines.find(
      each =>
        each.level === 'warn' &&
        each.message.includes(`'${name}'`) &&
        each.message.includes(`[${code}]`),
    );
    expect(line).toBeDefined();
  });
});

describe('a condition for a permission without a resource', () => {
  it('denies its own item only', async () => {
    stub.become(decision(conditional({})));
    expect(
      await authorize(backend.url, token, [
        basic('sibling.read', 'read'),
        basic('open.basic', 'read'),
      ]),
    ).toEqual({ status: 200, results: ['ALLOW', 'DENY'] });
  });
});
