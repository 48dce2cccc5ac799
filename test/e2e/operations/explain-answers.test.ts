/** What an explanation says besides the result. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createBackendModule } from '@backstage/backend-plugin-api';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { hostPolicy } from '../../../src/index';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
import { Guide } from '../../support/guide';
import { operations, type Operations } from '../../support/operations';
import { decision, startStub, type StubServer } from '../../support/stub-server';
import { until } from '../../support/until';

const VAULT = 'component:default/payments-vault';
const OLIVIA = 'user:default/olivia';

/** Allows what the user in person asks. */
const teamModule = createBackendModule({
  pluginId: 'permission',
  moduleId: 'team',
  register(registration) {
    registration.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        const team: PermissionPolicy = {
          handle: async (_query, user) =>
            ({
              result:
                user?.info.userEntityRef === 'user:default/petra' ? 'ALLOW' : 'DENY',
            }) as never,
        };
        policy.setPolicy(team);
      },
    });
  },
});

const CONDITIONS = {
  allOf: [
    {
      rule: 'IS_ENTITY_OWNER',
      resourceType: 'catalog-entity',
      params: { claims: ['group:default/payments'] },
    },
    {
      not: {
        rule: 'HAS_ANNOTATION',
        resourceType: 'catalog-entity',
        params: { annotation: 'example.com/protected' },
      },
    },
  ],
};

const CONDITIONAL = decision({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions: CONDITIONS,
});

const SERVICE_TOKEN = 'a-service-token-of-sixteen';

let opa: StubServer;
let backend: RunningBackend;
let petra: Operations;

beforeAll(async () => {
  opa = await startStub(CONDITIONAL);
  backend = await startBackend({
    policyRouter: {
      fallback: 'deny',
      operators: ['user:default/petra'],
      sources: {
        opa: {
          type: 'opa',
          baseUrl: opa.url,
          entrypoint: 'a/b',
          auth: { token: 'a-secret-token' },
        },
        ownership: { type: 'ownership' },
        team: { type: 'hosted' },
      },
      routes: [
        { prefix: 'catalog', sources: ['ownership'] },
        { prefix: 'catalog.entity.delete', sources: ['opa'] },
        {
          prefix: 'catalog.entity.refresh',
          sources: ['opa'],
          observe: { answer: 'ownership', until: '2999-01-31' },
        },
        {
          prefix: 'catalog.location.analyze',
          sources: ['deny'],
          observe: { answer: 'team', until: '2999-01-31' },
        },
        { prefix: 'catalog.entity.create', sources: ['team'] },
        { prefix: 'catalog.location.create', sources: ['team', 'deny'] },
        {
          prefix: 'catalog.location.read',
          sources: ['team', 'allow'],
          combine: 'allow-overrides',
        },
        {
          prefix: 'catalog.location.delete',
          sources: ['team', 'allow'],
          combine: 'first-applicable',
        },
      ],
    },
    config: {
      backend: {
        auth: {
          externalAccess: [
            { type: 'static', options: { token: SERVICE_TOKEN, subject: 'monitor' } },
          ],
        },
      },
    },
    features: [hostPolicy('team', teamModule)],
  });
  const token = await backend.signIn('petra');
  petra = operations(backend.url, token);
  await backend.signIn('olivia');
  await until(async () => {
    const { body } = await petra.post('explain', {
      permission: 'catalog.entity.delete',
      resource: VAULT,
      user: OLIVIA,
    });
    const { refs, resource } = body as {
      refs?: string[];
      resource?: { exists: boolean };
    };
    return refs?.length === 2 && resource?.exists === true;
  }, 'the plugins were read, and the catalog was ingested');
});
afterAll(async () => {
  await backend.stop();
  await opa.stop();
});

const explained = async (body: object) => {
  const answer = await petra.post('explain', body);
  expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  return answer.body;
};

it('every rule of the conditions says whether it is met, as the plugin evaluates it', async () => {
  const body = await explained({
    permission: 'catalog.entity.delete',
    resource: VAULT,
    user: OLIVIA,
  });
  expect(body).toMatchObject({
    result: 'DENY',
    route: "'catalog.entity.delete'",
    user: OLIVIA,
    refs: [OLIVIA, 'group:default/payments'],
    refsFrom: 'catalog',
    resource: {
      ref: VAULT,
      exists: true,
      conditions: {
        met: false,
        allOf: [
          { met: true, rule: 'IS_ENTITY_OWNER' },
          { met: false, not: { met: true, rule: 'HAS_ANNOTATION' } },
        ],
      },
    },
    record: { result: 'CONDITIONAL' },
  });
});

it('an entity that does not exist is DENY, and said not to exist', async () => {
  const body = await explained({
    permission: 'catalog.entity.delete',
    resource: 'component:default/nothing',
  });
  expect(body).toMatchObject({
    result: 'DENY',
    resource: { exists: false, conditions: { met: null } },
  });
});

it('without a resource the answer is CONDITIONAL', async () => {
  const body = await explained({ permission: 'catalog.entity.delete' });
  expect(body.result).toBe('CONDITIONAL');
  expect(body).not.toHaveProperty('resource');
});

it('refs that are given are used as they are', async () => {
  const body = await explained({
    permission: 'catalog.entity.refresh',
    user: 'user:default/stranger',
    refs: ['group:default/search'],
    resource: 'component:default/search-ui',
  });
  expect(body).toMatchObject({
    result: 'ALLOW',
    user: 'user:default/stranger',
    refs: ['group:default/search'],
    refsFrom: 'given',
  });
});

it.each([
  ['alone', 'catalog.entity.create', 'UNDETERMINED', 'ALLOW'],
  ['beside one that denies', 'catalog.location.create', 'DENY', 'DENY'],
  ['beside one that allows', 'catalog.location.read', 'ALLOW', 'ALLOW'],
  ['before one that would decide', 'catalog.location.delete', 'UNDETERMINED', 'ALLOW'],
])(
  'a hosted policy %s is asked for the caller only',
  async (_where, permission, forOther, forCaller) => {
    const other = await explained({ permission, user: OLIVIA });
    expect(other.result).toBe(forOther);
    if (forOther === 'UNDETERMINED') {
      expect(other.record).toMatchObject({ cannotAsk: ['team'] });
    }
    expect((await explained({ permission })).result).toBe(forCaller);
  },
);

it.each<[string, unknown, string]>([
  ['no body', undefined, 'body.permission must be the name of a permission'],
  ['an unknown key', { permission: 'a', resources: 'b' }, 'unknown key'],
  ['an empty name', { permission: '' }, 'body.permission must be'],
  [
    'a ref that is none',
    { permission: 'a', user: 'olivia' },
    'body.user must be a whole entity ref such as \'group:default/platform\', not "olivia"',
  ],
  [
    'refs of nobody',
    { permission: 'a', refs: ['group:default/a'] },
    'body.refs needs user',
  ],
  [
    'a resource of a basic permission',
    { permission: 'catalog.entity.create', resource: VAULT },
    'body.resource must be left out',
  ],
  [
    'a type without its resource type',
    { permission: { name: 'a', type: 'resource' } },
    'body.permission.resourceType is required',
  ],
  [
    'a group in place of a user',
    { permission: 'a', user: 'group:default/platform' },
    "body.user must be the entity ref of a user such as 'user:default/olivia'",
  ],
  [
    'a user whose name is a path',
    { permission: 'catalog.entity.create', user: 'user:../locations' },
    'body.user: the catalog has no',
  ],
  [
    'a resource of a name that nobody declares',
    { permission: 'catalog.entity.delet', resource: VAULT },
    'no installed plugin declares it; is the name right?',
  ],
  [
    'a user that the catalog does not have',
    { permission: 'catalog.entity.create', user: 'user:default/nobody' },
    'body.user: the catalog has no',
  ],
])('%s is HTTP 400 with the place', async (_what, body, message) => {
  const answer = await petra.post('explain', body ?? {});
  expect(answer.status).toBe(400);
  expect((answer.body.error as { message: string }).message).toContain(message);
});

it('what is not JSON is HTTP 400', async () => {
  const token = await backend.signIn('petra');
  const post = (headers: Record<string, string>, body: string) =>
    fetch(`${backend.url}/api/policy-router/v1/explain`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
    });
  expect((await post({}, '{}')).status).toBe(400);
  expect((await post({ 'content-type': 'application/json' }, '{')).status).toBe(400);
});

it('a name that nobody declares is asked as it is, and the answer says so', async () => {
  const body = await explained({ permission: 'nobody.declares.this' });
  expect(body).toMatchObject({
    result: 'DENY',
    route: 'fallback',
    notes: [expect.stringContaining('no installed plugin declares')],
    sentence: expect.stringContaining('no installed plugin declares') as unknown,
  });
});

it('leaves no record of a decision, and no secret', async () => {
  const before = backend.traces.length;
  const body = await explained({
    permission: 'catalog.entity.delete',
    resource: VAULT,
    user: OLIVIA,
  });
  expect(backend.traces).toHaveLength(before);
  expect(JSON.stringify(body)).not.toContain('a-secret-token');
});

describe('under observe', () => {
  const UNKNOWN = 'component:default/nothing';
  const RESOURCES = [VAULT, 'component:default/search-ui', UNKNOWN];

  it('an explanation is what Backstage answers', async () => {
    for (const name of ['olivia', 'nolan', 'petra']) {
      const token = await backend.signIn(name);
      const user = operations(backend.url, token);
      const { results } = await authorize(
        backend.url,
        token,
        RESOURCES.map(ref => onEntity('catalog.entity.refresh', 'update', ref)),
      );
      const explanations: unknown[] = [];
      for (const resource of RESOURCES) {
        const question = { permission: 'catalog.entity.refresh', resource };
        explanations.push((await user.post('explain', question)).body.result);
      }
      expect(explanations).toEqual(results);
    }
  });

  it('operators see the answer and the decision, for the resource too', async () => {
    const body = await explained({
      permission: 'catalog.entity.refresh',
      resource: VAULT,
      user: OLIVIA,
    });
    // Olivia owns it, and OPA does not allow it, as it is protected.
    expect(body).toMatchObject({
      result: 'ALLOW',
      sentence: expect.stringMatching(
        /^ALLOW: .* meets the conditions\. OBSERVED until 2999-01-31: 'ownership' answers CONDITIONAL .*enforced it would be CONDITIONAL by 'catalog\.entity\.refresh'/,
      ) as unknown,
      resource: { ref: VAULT, conditions: { met: true } },
      observed: {
        answer: 'ownership',
        until: '2999-01-31T00:00:00.000Z',
        given: 'ALLOW',
        recorded: 'DENY',
        resource: { ref: VAULT, conditions: { met: false } },
      },
      record: { result: 'CONDITIONAL', observed: { result: 'CONDITIONAL' } },
    });
  });

  it('others see the answer, and that it is not the decision', async () => {
    const olivia = operations(backend.url, await backend.signIn('olivia'));
    const question = { permission: 'catalog.entity.refresh', resource: VAULT };
    const { body } = await olivia.post('explain', question);
    expect(body).toEqual({
      replica: expect.any(String) as unknown,
      result: 'ALLOW',
      route: "'catalog.entity.refresh'",
      sentence:
        "Allowed. The decisions of the route 'catalog.entity.refresh' are not enforced yet; another source answers",
    });
  });

  it('it is undetermined if the answering source must be asked in person', async () => {
    const body = await explained({
      permission: 'catalog.location.analyze',
      user: OLIVIA,
    });
    expect(body).toMatchObject({
      result: 'UNDETERMINED',
      observed: { given: 'UNDETERMINED', recorded: 'DENY' },
    });
  });

  it('the table says what is not enforced', async () => {
    const { body } = await petra.get('table');
    const observed = (
      body.routes as Array<{ label: string; observe?: object }>
    ).flatMap(({ label, observe }) => (observe ? [[label, observe]] : []));
    const state = { until: '2999-01-31T00:00:00.000Z', state: 'observing' };
    expect(observed).toEqual([
      ["'catalog.entity.refresh'", { answer: 'ownership', ...state }],
      ["'catalog.location.analyze'", { answer: 'team', ...state }],
    ]);
  });

  it('it is summed what would be different, as the page says', async () => {
    const token = await backend.signIn('petra');
    const analyze = basic('catalog.location.analyze');
    await authorize(backend.url, token, [analyze, analyze]);
    const page = new Guide('docs/operations.md');
    const command = page.block('What would be denied', 'sh');
    const run = async () => {
      const { stdout } = await promisify(execFile)(
        'bash',
        [
          '-euc',
          command
            .replace('http://localhost:7007', backend.url)
            .replace(
              '/v1/observed',
              '/v1/observed?route=%27catalog.location.analyze%27',
            ),
        ],
        { env: { ...process.env, token } },
      );
      return stdout;
    };
    await until(async () => (await run()).includes('"count": 2'), 'both were recorded');
    const printed = (await run()).replace(
      /"(observed|wouldBeDenied|wouldBeAllowed|dependsOnResource)": \d+/g,
      '"$1": N',
    );
    expect(printed).toBe(
      page
        .block('What would be denied', 'text')
        .replace(/"(observed|would\w+|dependsOn\w+)": \d+/g, '"$1": N'),
    );
    const decisions = await petra.get(
      'decisions?observed=true&permission=catalog.location',
    );
    expect(decisions.body.decisions).toMatchObject(
      [0, 1].map(() => ({
        result: 'DENY',
        observed: { answer: 'team', result: 'ALLOW' },
      })),
    );
    const { sums } = (await petra.get('observed')).body as {
      sums: Array<{ permission: string; lastNumber: number }>;
    };
    const last = sums.find(
      ({ permission }) => permission === 'catalog.location.analyze',
    );
    const one = await petra.get(`decisions/${last!.lastNumber}`);
    expect(one.body.decision).toMatchObject({
      permission: { name: 'catalog.location.analyze' },
      sentence: expect.stringContaining('OBSERVED until') as unknown,
      observed: { answer: 'team', source: { source: 'team' } },
    });
  });

  it('only operators see the sums', async () => {
    const olivia = operations(backend.url, await backend.signIn('olivia'));
    for (const caller of [olivia, operations(backend.url, SERVICE_TOKEN)]) {
      expect((await caller.get('observed')).status).toBe(403);
    }
    expect((await petra.get('observed?users=a')).status).toBe(400);
  });
});

describe('a user who is no operator', () => {
  const ofNolan = async () => operations(backend.url, await backend.signIn('nolan'));

  it('may not send more than a question needs', async () => {
    const nolan = await ofNolan();
    const large = { permission: 'a', more: 'x'.repeat(20_000) };
    expect((await nolan.post('explain', large)).status).toBe(413);
    expect((await petra.post('explain', large)).status).toBe(400);
  });

  it('gets HTTP 429 for many at once, and keeps nobody else waiting', async () => {
    const nolan = await ofNolan();
    const held: Array<() => void> = [];
    opa.become((...question) => held.push(() => CONDITIONAL(...question)));
    const question = { permission: 'catalog.entity.delete' };
    const statuses: number[] = [];
    const asked = Promise.all(
      Array.from({ length: 10 }, async () => {
        const { status } = await nolan.post('explain', question);
        statuses.push(status);
      }),
    );
    await until(() => statuses.length === 8, 'all but two had an answer');
    expect(
      (await petra.post('explain', { permission: 'catalog.entity.create' })).status,
    ).toBe(200);
    opa.become(CONDITIONAL);
    for (const answer of held) answer();
    await asked;
    expect(statuses).toEqual([...Array<number>(8).fill(429), 200, 200]);
  });
});

it('what went wrong last is shown to operators, and to services only its code', async () => {
  const secret = 'user:default/somebody';
  opa.become(decision({ result: 'ALLOW', [secret]: true }));
  const token = await backend.signIn('olivia');
  await authorize(backend.url, token, [
    onEntity('catalog.entity.delete', 'delete', VAULT),
  ]);
  opa.become(CONDITIONAL);
  const service = await operations(backend.url, SERVICE_TOKEN).get('sources');
  const operator = await petra.get('sources');
  const failureOf = ({ body }: typeof service) =>
    (
      body.sources as Array<{ name: string; endpoints: Array<{ lastFailure: object }> }>
    ).find(({ name }) => name === 'opa')!.endpoints[0]!.lastFailure;
  expect(failureOf(operator)).toMatchObject({
    code: 'BAD_DECISION',
    message: expect.stringContaining(secret) as unknown,
  });
  expect(failureOf(service)).toEqual({
    at: expect.any(String) as unknown,
    class: 'invalid',
    code: 'BAD_DECISION',
  });
});

it('there is nothing else', async () => {
  expect((await petra.get('nothing')).status).toBe(404);
});
