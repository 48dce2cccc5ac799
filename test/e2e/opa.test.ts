/** A real OPA server behind a real Backstage backend. */
import { join } from 'node:path';
import { catalogNames } from '../../dev/checks';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  temporaryFolder,
  type RunningBackend,
} from '../support/backend';
import { assumeIdleLoop } from '../support/idle-loop';
import { startOpa, type OpaServer } from '../support/opa-server';
import { tlsFixture } from '../support/tls-fixture';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const opaSource = (baseUrl: string, more: object = {}): object => ({
  type: 'opa',
  baseUrl,
  entrypoint: 'backstage_policy/decision',
  ...more,
});

describeWithOpa('a Rego policy that existed before the router', () => {
  let opa: OpaServer;
  let backend: RunningBackend;
  let olivia: string;
  let nolan: string;
  let petra: string;

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/seed.rego'],
    });
    backend = await startBackend({
      policyRouter: {
        fallback: 'allow',
        sources: { opa: opaSource(opa.url) },
        routes: [{ prefix: 'catalog', sources: ['opa'] }],
      },
    });
    olivia = await backend.signIn('olivia');
    nolan = await backend.signIn('nolan');
    petra = await backend.signIn('petra');
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  it('decides unchanged: ALLOW, DENY and CONDITIONAL', async () => {
    const questions = [
      basic('catalog.location.read', 'read'),
      basic('catalog.location.create', 'create'),
      onEntity('catalog.entity.delete', 'delete', 'component:default/search-ui'),
      basic('catalog.entity.create', 'create'),
    ];
    await ownedBySearchIsIngested(backend.url, nolan);
    expect(await authorize(backend.url, nolan, questions)).toEqual({
      status: 200,
      results: ['ALLOW', 'DENY', 'ALLOW', 'DENY'],
    });
    expect(await authorize(backend.url, petra, questions)).toEqual({
      status: 200,
      results: ['ALLOW', 'DENY', 'DENY', 'ALLOW'],
    });
  });

  it('filters a list by its conditions', async () => {
    await ownedBySearchIsIngested(backend.url, nolan);
    expect(await catalogNames(backend.url, olivia)).toEqual([
      'payments-api',
      'payments-ledger',
      'payments-vault',
    ]);
  });

  it('is not asked about a permission no route matches, which gets the fallback', async () => {
    expect(await authorize(backend.url, nolan, [basic('openchoreo.foo.read')])).toEqual(
      { status: 200, results: ['ALLOW'] },
    );
    expect(backend.traces.at(-1)).toMatchObject({ route: 'fallback', sources: [] });
  });

  it('is logged at debug level with the full input and response', async () => {
    const since = backend.logs.lines.length;
    await authorize(backend.url, nolan, [basic('catalog.location.read', 'read')]);
    const line = await backend.logs.waitFor('ALLOW "catalog.location.read"', since);
    expect(line.level).toBe('debug');
    expect(line.meta.decision).toMatchObject({
      user: 'user:default/nolan',
      route: "'catalog'",
      result: 'ALLOW',
      sources: [
        {
          source: 'opa',
          verdict: 'ALLOW',
          exchange: {
            input: {
              permission: {
                name: 'catalog.location.read',
                type: 'basic',
                attributes: { action: 'read' },
              },
              identity: {
                user: 'user:default/nolan',
                claims: ['user:default/nolan', 'group:default/search'],
              },
            },
            response: { result: { result: 'ALLOW' } },
          },
        },
      ],
    });
  });
});

/** Deleting is conditional on ownership, so this returns ALLOW once the entity is ingested. */
async function ownedBySearchIsIngested(url: string, token: string): Promise<void> {
  const question = onEntity(
    'catalog.entity.delete',
    'delete',
    'component:default/search-ui',
  );
  await until(async () => {
    const { results } = await authorize(url, token, [question]);
    return results[0] === 'ALLOW';
  }, 'search-ui was ingested');
}

describeWithOpa('an outage of OPA', () => {
  assumeIdleLoop();

  it('denies only what OPA decides, and recovers without help', async () => {
    let opa = await startOpa({ binary: requireOpa(), policies: ['config/policies'] });
    const { port } = opa;
    const backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: opaSource(opa.url, {
            circuitBreaker: { volumeThreshold: 2, resetTimeout: '200ms' },
          }),
        },
        routes: [
          { prefix: 'catalog', sources: ['opa'] },
          { prefix: 'techdocs', sources: ['allow'] },
        ],
      },
    });
    try {
      const petra = await backend.signIn('petra');
      const batch = [
        basic('techdocs.page.read', 'read'),
        basic('catalog.entity.create', 'create'),
        basic('techdocs.page.read', 'read'),
      ];
      expect((await authorize(backend.url, petra, batch)).results).toEqual([
        'ALLOW',
        'ALLOW',
        'ALLOW',
      ]);

      await opa.stop();
      const opened = backend.logs.waitFor("Source 'opa': circuit breaker open");
      for (let round = 0; round < 4; round++) {
        expect(await authorize(backend.url, petra, batch)).toEqual({
          status: 200,
          results: ['ALLOW', 'DENY', 'ALLOW'],
        });
      }
      await opened;
      await backend.logs.waitFor("Source 'opa' is unavailable [ECONNREFUSED]");

      opa = await startOpa({
        binary: requireOpa(),
        policies: ['config/policies'],
        port,
      });
      const closed = backend.logs.waitFor("Source 'opa': circuit breaker closed");
      await backend.logs.waitFor("Source 'opa': circuit breaker half-open");
      // The next question is the probe, which closes the breaker.
      await untilAllowed(backend.url, petra, batch);
      await closed;
    } finally {
      await backend.stop();
      await opa.stop();
    }
  });

  it('allows what OPA decides if the operator configured fail-open', async () => {
    const opa = await startOpa({ binary: requireOpa() });
    const { url } = opa;
    await opa.stop();
    const backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: { opa: opaSource(url, { onUnavailable: 'fail-open' }) },
        routes: [
          { prefix: 'catalog', sources: ['opa'] },
          {
            prefix: 'catalog.location',
            sources: ['opa'],
            onUnavailable: 'fail-closed',
          },
        ],
      },
    });
    try {
      const nolan = await backend.signIn('nolan');
      const { results } = await authorize(backend.url, nolan, [
        basic('catalog.entity.create', 'create'),
        basic('catalog.location.create', 'create'),
      ]);
      expect(results).toEqual(['ALLOW', 'DENY']);
      const start = await backend.logs.waitFor(
        'The policy router is the permission policy',
      );
      expect(start.message).toContain(
        "FAIL-OPEN, so an outage allows: source 'opa' on 'catalog'.",
      );
    } finally {
      await backend.stop();
    }
  });
});

async function untilAllowed(
  url: string,
  token: string,
  batch: Parameters<typeof authorize>[2],
): Promise<void> {
  await until(async () => {
    const { results } = await authorize(url, token, batch);
    return results.every(result => result === 'ALLOW');
  }, 'OPA decided again');
}

describeWithOpa('a mistake in the Rego policy', () => {
  let opa: OpaServer;
  let backend: RunningBackend;
  let petra: string;
  const mistakes = [
    ['conflict', 'HTTP_500'],
    ['bare_boolean', 'BAD_DECISION'],
    ['lowercase', 'BAD_DECISION'],
    ['undefined_decision', 'UNDEFINED_DECISION'],
    ['no_such_rule', 'UNDEFINED_DECISION'],
    ['without_conditions', 'BAD_DECISION'],
    ['other_resource_type', 'BAD_CONDITIONS'],
    ['empty_any_of', 'BAD_DECISION'],
  ] as const;

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/mistakes.rego'],
    });
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        // A mistake must not be treated as an outage, so nothing here may be allowed.
        onUnavailable: 'fail-open',
        sources: Object.fromEntries(
          mistakes.map(([name]) => [
            name,
            opaSource(opa.url, {
              entrypoint: `mistakes/${name}`,
              circuitBreaker: { volumeThreshold: 1, errorThreshold: 1 },
            }),
          ]),
        ),
        routes: [
          ...mistakes.map(([name]) => ({ prefix: name, sources: [name] })),
          { prefix: 'techdocs', sources: ['allow'] },
        ],
      },
    });
    petra = await backend.signIn('petra');
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  it.each(mistakes)(
    '%s denies only its own question, with code %s',
    async (name, code) => {
      for (let round = 0; round < 2; round++) {
        const batch = [
          basic('techdocs.page.read', 'read'),
          onEntity(`${name}.anything`, 'read'),
          basic('techdocs.page.read', 'read'),
        ];
        expect(await authorize(backend.url, petra, batch)).toEqual({
          status: 200,
          results: ['ALLOW', 'DENY', 'ALLOW'],
        });
        const trace = backend.traces.findLast(
          each => each.permission?.name === `${name}.anything`,
        );
        expect(trace?.sources[0]?.failure).toMatchObject({ class: 'invalid', code });
      }
      await backend.logs.waitFor(`Source '${name}' is invalid [${code}]`);
    },
  );

  it('does not open the breaker', () => {
    const changes = backend.logs.lines.filter(line =>
      line.message.includes('circuit breaker open'),
    );
    expect(changes).toEqual([]);
  });
});

describeWithOpa('OPA can be reached through', () => {
  const decideWith = async (source: object): Promise<readonly string[]> => {
    const backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        onUnavailable: 'fail-open',
        sources: { opa: source },
        routes: [{ prefix: 'catalog', sources: ['opa'] }],
      },
    });
    try {
      const results: string[] = [];
      for (const name of ['petra', 'nolan']) {
        const token = await backend.signIn(name);
        const question = basic('catalog.location.create', 'create');
        results.push(...(await authorize(backend.url, token, [question])).results);
      }
      const failures = backend.traces.flatMap(trace =>
        trace.sources.flatMap(({ failure }) => (failure ? [failure.code] : [])),
      );
      return [...results, ...new Set(failures)];
    } finally {
      await backend.stop();
    }
  };

  it('a unix socket', async () => {
    const folder = await temporaryFolder();
    const socket = join(folder, 'opa.sock');
    const opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies'],
      args: ['--addr', `unix://${socket}`],
    });
    try {
      expect(await decideWith(opaSource(`unix:${socket}`))).toEqual(['ALLOW', 'DENY']);
    } finally {
      await opa.stop();
    }
  });

  it('https with a private CA and a client certificate, and without them the decision is DENY', async () => {
    const opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies'],
      args: [
        ...['--tls-cert-file', 'test/fixtures/tls/server.pem'],
        ...['--tls-private-key-file', 'test/fixtures/tls/server.key'],
        ...['--tls-ca-cert-file', 'test/fixtures/tls/ca.pem'],
        ...['--authentication', 'tls'],
        // The health endpoint stays on plain HTTP, so that the test can see when OPA is ready.
        ...['--diagnostic-addr', '127.0.0.1:0'],
      ],
    });
    const url = opa.url.replace('http:', 'https:');
    try {
      const tls = {
        ca: tlsFixture('ca.pem'),
        cert: tlsFixture('client.pem'),
        key: tlsFixture('client.key'),
      };
      expect(await decideWith(opaSource(url, { tls }))).toEqual(['ALLOW', 'DENY']);
      // OPA refuses us after the handshake. That is not an outage, though undici only sees a closed connection.
      expect(await decideWith(opaSource(url, { tls: { ca: tls.ca } }))).toEqual([
        'DENY',
        'DENY',
        'UND_ERR_SOCKET',
      ]);
      expect(await decideWith(opaSource(url))).toEqual([
        'DENY',
        'DENY',
        expect.stringMatching(/CERT|SELF_SIGNED|VERIFY/),
      ]);
    } finally {
      await opa.stop();
    }
  });

  it('http with a bearer token, and without it the decision is DENY', async () => {
    const opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies', 'test/fixtures/policies/authz.rego'],
      args: ['--authentication', 'token', '--authorization', 'basic'],
    });
    try {
      const auth = { token: 'a-secret-token' };
      expect(await decideWith(opaSource(opa.url, { auth }))).toEqual(['ALLOW', 'DENY']);
      expect(await decideWith(opaSource(opa.url))).toEqual([
        'DENY',
        'DENY',
        'HTTP_401',
      ]);
    } finally {
      await opa.stop();
    }
  });
});
