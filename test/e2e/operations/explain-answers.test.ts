/** What an explanation says besides the result. */
import { createBackendModule } from '@backstage/backend-plugin-api';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { hostPolicy } from '../../../src/index';
import {
  authorize,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
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
