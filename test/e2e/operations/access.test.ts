/** Who may see what: nothing but `operators` opens other people's decisions. */
import {
  basic,
  authorize,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
import { operations, type Reply } from '../../support/operations';
import { until } from '../../support/until';

const SERVICE_TOKEN = 'a-service-token-of-sixteen';

const ROUTER = {
  fallback: 'deny',
  operators: ['group:default/platform'],
  sources: { ownership: { type: 'ownership' } },
  routes: [{ prefix: 'catalog', sources: ['ownership'], default: 'allow' }],
};

/** What everybody may see of their own decision, and no more. */
const OWN_KEYS = ['replica', 'result', 'route', 'sentence'];

const DELETE = {
  permission: 'catalog.entity.delete',
  resource: 'component:default/payments-api',
};

interface Row {
  readonly call: string;
  readonly body?: object;
  /** HTTP statuses for an operator, any other user, a service, and a call without a token. */
  readonly statuses: readonly [
    operator: number,
    user: number,
    service: number,
    none: number,
  ];
}

const ROWS: readonly Row[] = [
  { call: 'table', statuses: [200, 403, 200, 401] },
  { call: 'sources', statuses: [200, 403, 200, 401] },
  { call: 'coverage', statuses: [200, 403, 200, 401] },
  { call: 'decisions', statuses: [200, 403, 403, 401] },
  { call: 'decisions/1', statuses: [200, 403, 403, 401] },
  { call: 'shadow', statuses: [200, 403, 403, 401] },
  {
    call: 'diff',
    body: { routing: 'fallback: deny\nroutes: [{ prefix: a, sources: [allow] }]' },
    statuses: [200, 403, 403, 401],
  },
  { call: 'explain', body: DELETE, statuses: [200, 200, 403, 401] },
  {
    call: 'explain',
    body: { ...DELETE, user: 'user:default/olivia' },
    statuses: [200, 403, 403, 401],
  },
  {
    call: 'explain',
    body: { ...DELETE, user: 'user:default/olivia', refs: ['group:default/payments'] },
    statuses: [200, 403, 403, 401],
  },
  {
    // Their own ref, but not their own refs.
    call: 'explain',
    body: { ...DELETE, user: 'user:default/nolan', refs: ['group:default/payments'] },
    statuses: [200, 403, 403, 401],
  },
];

interface Scene {
  readonly what: string;
  readonly permission?: object;
  readonly backend?: object;
  readonly router?: object;
}

/** Nothing of these may open anything. */
const SCENES: readonly Scene[] = [
  { what: 'as configured' },
  { what: 'with permissions switched off', permission: { enabled: false } },
  {
    what: 'with a table that allows everything',
    router: { fallback: 'allow', routes: [{ prefix: '', sources: ['allow'] }] },
  },
  {
    what: 'in an outage that fails open',
    router: {
      sources: {
        opa: {
          type: 'opa',
          baseUrl: 'http://127.0.0.1:9',
          entrypoint: 'a/b',
          onUnavailable: 'fail-open',
        },
      },
      routes: [{ prefix: '', sources: ['opa'] }],
    },
  },
  {
    what: 'with the default auth policy switched off',
    backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
  },
];

const start = ({ permission, backend, router }: Scene): Promise<RunningBackend> => {
  const { auth, ...rest } = (backend ?? {}) as { auth?: object };
  return startBackend({
    config: {
      backend: {
        ...rest,
        auth: {
          ...auth,
          externalAccess: [
            { type: 'static', options: { token: SERVICE_TOKEN, subject: 'monitor' } },
          ],
        },
      },
      permission: {
        enabled: true,
        ...permission,
        policyRouter: { ...ROUTER, ...router },
      },
    },
  });
};

describe.each(SCENES)('the operations API $what', scene => {
  let backend: RunningBackend;
  let tokens: ReadonlyArray<string | undefined>;

  beforeAll(async () => {
    backend = await start(scene);
    const [petra, nolan] = [
      await backend.signIn('petra'),
      await backend.signIn('nolan'),
    ];
    tokens = [petra, nolan, SERVICE_TOKEN, undefined];
    // So that there is a decision to see.
    await authorize(backend.url, nolan, [basic('catalog.entity.create', 'create')]);
    // An explanation by name needs what the plugins declare.
    await until(async () => {
      const { status } = await operations(backend.url, petra).post('explain', DELETE);
      return status === 200;
    }, 'the plugins were read');
  });
  afterAll(() => backend.stop());

  const call = (token: string | undefined, row: Row): Promise<Reply> => {
    const api = operations(backend.url, token);
    return row.body ? api.post(row.call, row.body) : api.get(row.call);
  };

  it.each(ROWS)('answers $call $body only to whom it may', async row => {
    const replies = await Promise.all(tokens.map(token => call(token, row)));
    expect(replies.map(({ status }) => status)).toEqual(row.statuses);
    const [, other] = replies;
    if (other!.status === 200) {
      expect(Object.keys(other!.body).sort()).toEqual(OWN_KEYS);
    }
  });

  it('says nothing of refs, sources and reasons of their own decision to a user', async () => {
    const { body } = await call(tokens[1], {
      call: 'explain',
      body: DELETE,
      statuses: [0, 0, 0, 0],
    });
    expect(JSON.stringify(body)).not.toMatch(
      /group:|user:|ownership|opa|IS_ENTITY_OWNER|ECONN/,
    );
  });
});

describe('the operations API', () => {
  it('is closed to all, also for their own decisions, while there are no operators', async () => {
    const backend = await start({ what: '', router: { operators: [] } });
    try {
      const petra = await backend.signIn('petra');
      const calls = ROWS.flatMap(row =>
        [petra, SERVICE_TOKEN].map(token => {
          const api = operations(backend.url, token);
          return row.body ? api.post(row.call, row.body) : api.get(row.call);
        }),
      );
      const replies = await Promise.all(calls);
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([403]));
      expect(JSON.stringify(replies[0]!.body)).toContain('operators is not set');
    } finally {
      await backend.stop();
    }
  });

  it('opens and closes by a reload', async () => {
    const backend = await startBackend({ policyRouter: { ...ROUTER, operators: [] } });
    try {
      const petra = operations(backend.url, await backend.signIn('petra'));
      const statusOf = async (): Promise<number> => (await petra.get('sources')).status;
      expect(await statusOf()).toBe(403);
      for (const [operators, status] of [
        [['user:default/PETRA'], 200],
        [['user:default/olivia'], 403],
      ] as const) {
        await backend.writeConfig({ ...ROUTER, operators });
        await until(
          async () => (await statusOf()) === status,
          `the status is ${status}`,
        );
      }
    } finally {
      await backend.stop();
    }
  });
});
