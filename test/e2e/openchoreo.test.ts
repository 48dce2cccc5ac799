/**
 * A policy shaped like OpenChoreo's, unmodified, as a source of the router: its decision tree
 * for its own permissions; other sources or the fallback for what it would allow everybody.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import openchoreoPolicy from '../fixtures/openchoreo/module';
import { NAMESPACED_RESOURCE } from '../fixtures/openchoreo/names';
import {
  authorize,
  basic,
  onEntity,
  type Question,
  type RunningBackend,
} from '../support/backend';
import {
  byRefs,
  checks,
  checksOneByOne,
  LISTS,
  type Reader,
} from '../support/catalog-reads';
import {
  authorizeAs,
  callRoute,
  headersOf,
  idpTokenOf,
  refOf,
  signInAnybody,
  startOpenChoreoBackend,
  type Member,
} from '../support/openchoreo';
import { startProfileApi, type ProfileApi } from '../support/profile-api';
import { verdictsByPermission } from '../support/verdicts-by-permission';
import { until } from '../support/until';

/** The config of docs/openchoreo.md, but for its times, with `more`. */
const documented = (more: object = {}): object => {
  const page = readFileSync('docs/openchoreo.md', 'utf8');
  const [, text] = /^```yaml\n([^]*?)^```$/m.exec(page)!;
  const timeless = text!.replace(/^ *(deadline|timeout): .*\n/gm, '');
  const config = parse(timeless) as { permission: { policyRouter: object } };
  return { ...config.permission.policyRouter, ...more };
};

const CART = 'component:default/cart';
const FINDER = 'component:default/finder';
const LEDGER = 'component:default/ledger';
const MANAGED = ['domain:default/acme', 'system:default/shop', CART, FINDER, LEDGER];
const UNMANAGED = [
  'payments-api',
  'payments-vault',
  'payments-ledger',
  'search-ui',
].map(name => `component:default/${name}`);
const ENTITIES = [...MANAGED, ...UNMANAGED];

const onComponent = (
  verb: 'read' | 'update' | 'build',
  resourceRef: string,
): Question => ({
  permission: {
    type: 'resource',
    name: `openchoreo.component.${verb}`,
    attributes: { action: verb === 'read' ? 'read' : 'update' },
    resourceType: NAMESPACED_RESOURCE,
  },
  resourceRef,
});

/** Permissions that the policy allows because it does not, or no longer, own them. */
const ELSEWHERE: readonly Question[] = [
  basic('scaffolder.task.read', 'read'),
  basic('scaffolder.template.management'),
  basic('catalog.entity.validate'),
  basic('catalog.location.delete', 'delete'),
  basic('acme.invoice.create', 'create'),
  basic('openchoreox.read', 'read'),
];

const SMOKE = basic('openchoreo.foo.read');

const anyTimes = <T>(value: T, { length }: readonly unknown[]): T[] =>
  Array.from({ length }, () => value);

const allow = (...paths: string[]) => ({ allowed: paths.map(path => ({ path })) });

/** What OpenChoreo's auth module does at sign-in. */
const preCache = (backend: RunningBackend, member: Member) =>
  callRoute(
    backend,
    '/cache-capabilities',
    { userEntityRef: refOf(member.name), accessToken: member.idpToken },
    headersOf(member),
  );

/** Waits until one who may see all of the catalog does. */
async function untilIngested(backend: RunningBackend, api: ProfileApi): Promise<void> {
  const member = await signInAnybody(backend.url, 'everything');
  api.grant(member.idpToken, EVERYTHING);
  await preCache(backend, member);
  const reader = readerOf(backend, member);
  await until(
    async () => (await byRefs(reader, ENTITIES)).length === ENTITIES.length,
    'the catalog was ingested',
  );
}

const readerOf = ({ url }: RunningBackend, { backstageToken }: Member): Reader => ({
  url,
  token: backstageToken,
  refByName: new Map(),
});

const IN_ACME = {
  'component:*': allow('ns/acme'),
  'project:view': allow('ns/acme'),
  'namespace:view': allow('ns/acme'),
};
const BUT_CART = {
  'component:view': {
    ...allow('ns/acme/project/shop'),
    denied: [{ path: 'ns/acme/project/shop/component/cart' }],
  },
  'project:view': allow('ns/acme/project/shop'),
};
const EVERYTHING = { '*': allow('*') };

describe('OpenChoreo with authz enabled', () => {
  let api: ProfileApi;
  let backend: RunningBackend;
  /** In group:default/payments, which owns cart and ledger; may do all in the namespace acme. */
  let olivia: Member;
  /** In group:default/search, which owns finder; may see finder and its parents. */
  let nolan: Member;
  /** May do anything in OpenChoreo. */
  let petra: Member;

  const ask = async (member: Member, ...questions: Question[]): Promise<string> => {
    const { status, results } = await authorizeAs(backend, member, ...questions);
    return `${status} ${results.join(' ')}`;
  };

  beforeAll(async () => {
    api = await startProfileApi();
    backend = await startOpenChoreoBackend({
      openchoreo: { baseUrl: api.url, features: { authz: { enabled: true } } },
      policyRouter: documented(),
      entities: true,
    });
    const persona = async (name: string): Promise<Member> => ({
      name,
      backstageToken: await backend.signIn(name),
      idpToken: idpTokenOf(name),
    });
    [olivia, nolan, petra] = [
      await persona('olivia'),
      await persona('nolan'),
      await persona('petra'),
    ];
    api.grant(olivia.idpToken, IN_ACME);
    api.grant(nolan.idpToken, BUT_CART);
    api.grant(petra.idpToken, EVERYTHING);
    for (const member of [olivia, nolan, petra]) {
      expect(await preCache(backend, member)).toEqual({
        status: 200,
        body: { success: true },
      });
    }
    await untilIngested(backend, api);
  });

  afterAll(async () => {
    await backend?.stop();
    await api?.stop();
  });

  it('starts without a warning, though it shares a route', () => {
    const lines = backend.logs.lines.map(({ level, message }) => `${level} ${message}`);
    expect(lines).toContain(
      'info OpenChoreo permission policy registered successfully',
    );
    expect(lines).toContainEqual(
      expect.stringContaining(
        'info The policy router is the permission policy: 9 routes, 3 sources (openchoreo, ownership, allow).',
      ),
    );
    expect(
      lines.filter(
        line => line.startsWith('warn The policy') || line.includes('is hosted'),
      ),
    ).toEqual([]);
  });

  it('decides its basic permissions by capabilities', async () => {
    const questions = [
      basic('openchoreo.component.create', 'create'),
      basic('openchoreo.project.create', 'create'),
      // A permission that the module does not know.
      SMOKE,
    ];
    expect(await ask(olivia, ...questions)).toBe('200 ALLOW DENY DENY');
    expect(await ask(nolan, ...questions)).toBe('200 DENY DENY DENY');
    expect(await ask(petra, ...questions)).toBe('200 ALLOW ALLOW DENY');
  });

  it('decides its resource permissions by conditions that its plugin applies', async () => {
    const questions = [CART, FINDER, LEDGER, UNMANAGED[0]!, 'component:default/none'];
    const update = questions.map(ref => onComponent('update', ref));
    const read = questions.map(ref => onComponent('read', ref));
    expect(await ask(olivia, ...update)).toBe('200 ALLOW ALLOW DENY DENY DENY');
    expect(await ask(nolan, ...update)).toBe('200 DENY DENY DENY DENY DENY');
    expect(await ask(nolan, ...read)).toBe('200 DENY ALLOW DENY DENY DENY');
    expect(await ask(petra, ...update)).toBe('200 ALLOW ALLOW ALLOW DENY DENY');
    expect(verdictsByPermission(backend.traces)['openchoreo.component.update']).toEqual(
      ["'openchoreo'", 'openchoreo: CONDITIONAL'],
    );
  });

  describe('decides what users see of the catalog', () => {
    const SEEN: ReadonlyArray<[() => Member, string[]]> = [
      [() => olivia, ['domain:default/acme', 'system:default/shop', CART, FINDER]],
      [() => nolan, ['system:default/shop', FINDER]],
      [() => petra, MANAGED],
    ];
    const readings = {
      entities: LISTS.entities!,
      'by-query': LISTS['by-query']!,
      byRefs,
      checks,
      checksOneByOne,
    };

    it.each(Object.entries(readings))('through %s', async (_way, read) => {
      for (const [member, managed] of SEEN) {
        const seen = await read(readerOf(backend, member()), ENTITIES);
        expect(seen.filter(ref => ENTITIES.includes(ref)).sort()).toEqual(
          [...managed, ...UNMANAGED].sort(),
        );
      }
    });
  });

  it('decides together with ownership what may be deleted and refreshed', async () => {
    const refs = [CART, FINDER, LEDGER, UNMANAGED[0]!, UNMANAGED[3]!];
    const remove = refs.map(ref => onEntity('catalog.entity.delete', 'delete', ref));
    const refresh = refs.map(ref => onEntity('catalog.entity.refresh', 'update', ref));
    // OpenChoreo allows cart, finder and what it does not manage; ownership what payments owns.
    expect(await ask(olivia, ...remove)).toBe('200 ALLOW DENY DENY ALLOW DENY');
    expect(await ask(olivia, ...refresh)).toBe('200 ALLOW DENY DENY ALLOW DENY');
    expect(await ask(nolan, ...remove)).toBe('200 DENY DENY DENY DENY ALLOW');
    expect(await ask(petra, ...remove)).toBe('200 DENY DENY DENY DENY DENY');
    expect(verdictsByPermission(backend.traces)['catalog.entity.delete']).toEqual([
      "'catalog.entity' [update, delete]",
      'openchoreo: CONDITIONAL',
      'ownership: CONDITIONAL',
    ]);
  });

  it('decides who may create entities and tasks', async () => {
    const questions = [
      basic('catalog.entity.create', 'create'),
      basic('scaffolder.task.create', 'create'),
    ];
    expect(await ask(olivia, ...questions)).toBe('200 ALLOW ALLOW');
    expect(await ask(nolan, ...questions)).toBe('200 DENY DENY');
  });

  it('does not decide what is routed to other sources or not routed', async () => {
    api.forget();
    const ofOthers = [
      basic('catalog.location.read', 'read'),
      basic('scaffolder.action.execute'),
    ];
    const asked = [...ofOthers, ...ELSEWHERE];
    const { results } = await authorizeAs(backend, petra, ...asked);
    expect(results).toEqual([
      ...anyTimes('ALLOW', ofOthers),
      ...anyTimes('DENY', ELSEWHERE),
    ]);
    const traced = verdictsByPermission(backend.traces);
    expect(ELSEWHERE.map(({ permission }) => traced[permission.name])).toEqual(
      anyTimes(['fallback'], ELSEWHERE),
    );
    expect(ofOthers.map(({ permission }) => traced[permission.name])).toEqual([
      ["'catalog.location' [read]", 'allow: ALLOW'],
      ["'scaffolder.action.execute'", 'allow: ALLOW'],
    ]);
  });

  it('decides its own permissions as it does without the router, where it allows everything else', async () => {
    const own = [
      ...['openchoreo.component.create', 'openchoreo.project.create'].map(name =>
        basic(name, 'create'),
      ),
      SMOKE,
      ...[CART, FINDER, LEDGER, UNMANAGED[0]!].flatMap(ref => [
        onComponent('build', ref),
        onEntity('catalog.entity.read', 'read', ref),
      ]),
      basic('catalog.entity.create', 'create'),
      basic('scaffolder.task.create', 'create'),
    ];
    const alone = await startOpenChoreoBackend({
      openchoreo: { baseUrl: api.url },
      policy: openchoreoPolicy,
      entities: true,
    });
    try {
      await untilIngested(alone, api);
      const cases = { ada: IN_ACME, ben: BUT_CART, cleo: EVERYTHING, dan: {} };
      for (const [name, capabilities] of Object.entries(cases)) {
        const [before, after] = [
          await signInAnybody(alone.url, name),
          await signInAnybody(backend.url, name),
        ];
        api.grant(before.idpToken, capabilities);
        api.grant(after.idpToken, capabilities);
        const expected = await authorizeAs(alone, before, ...own, ...ELSEWHERE);
        expect(expected.results.slice(own.length)).toEqual(
          anyTimes('ALLOW', ELSEWHERE),
        );
        const { results } = await authorizeAs(backend, after, ...own, ...ELSEWHERE);
        expect(results).toEqual([
          ...expected.results.slice(0, own.length),
          ...anyTimes('DENY', ELSEWHERE),
        ]);
      }
    } finally {
      await alone.stop();
    }
  });

  it("needs attributes in a user's question", async () => {
    const permission = { type: 'basic', name: 'openchoreo.foo.read' };
    const { status } = await authorize(
      backend.url,
      olivia.backstageToken,
      [{ permission } as Question],
      headersOf(olivia),
    );
    expect(status).toBe(400);
  });

  it('is denied if its condition exceeds the limit, without failing the batch', async () => {
    const member = await signInAnybody(backend.url, 'collector');
    const paths = Array.from(
      { length: 2000 },
      (_, index) => `ns/acme/project/p${index}`,
    );
    api.grant(member.idpToken, { '*': allow(...paths) });
    const read = onEntity('catalog.entity.read', 'read', CART);
    const create = basic('openchoreo.project.create', 'create');
    expect(await ask(member, read, create)).toBe('200 DENY ALLOW');
    const trace = backend.traces.findLast(
      each =>
        each.user === refOf('collector') &&
        each.permission?.name === 'catalog.entity.read',
    );
    expect(trace?.sources[0]?.failure).toMatchObject({
      class: 'invalid',
      code: 'CONDITIONS_TOO_LARGE',
    });
  });

  it('decides on each item of a large batch', async () => {
    const names = ['openchoreo.component.create', 'openchoreo.project.create'];
    const questions = Array.from({ length: 500 }, (_, index) =>
      basic(names[index % names.length]!, 'create'),
    );
    const { status, results } = await authorizeAs(backend, olivia, ...questions);
    expect(status).toBe(200);
    expect(results).toEqual(
      questions.map((_, index) => (index % 2 ? 'DENY' : 'ALLOW')),
    );
  });

  describe('its own routes', () => {
    const evaluate = (member: Member, permissionName: string, resourceRef: string) =>
      callRoute(
        backend,
        '/evaluate-with-context',
        { permissionName, resourceRef },
        headersOf(member),
      );

    it('answer below /api/permission, with the services of the backend', async () => {
      const name = 'openchoreo.component.update';
      expect(await evaluate(olivia, name, CART)).toEqual({
        status: 200,
        body: { allowed: true },
      });
      expect(await evaluate(olivia, name, LEDGER)).toEqual({
        status: 200,
        body: { allowed: false },
      });
      expect(await evaluate(olivia, name, 'component:default/none')).toMatchObject({
        status: 404,
      });
      expect(await evaluate(olivia, 'openchoreo.foo.read', CART)).toMatchObject({
        status: 400,
      });
    });

    it('get the token from the default token service', async () => {
      const member = await signInAnybody(backend.url, 'router-user');
      api.grant(member.idpToken, { 'component:update': allow('ns/globex') });
      api.forget();
      expect(await evaluate(member, 'openchoreo.component.update', LEDGER)).toEqual({
        status: 200,
        body: { allowed: true },
      });
      expect(api.tokens).toEqual([member.idpToken]);
    });

    it('require a signed-in user', async () => {
      const { status } = await callRoute(backend, '/evaluate-with-context', {}, {});
      expect(status).toBe(401);
    });
  });

  describe('its cache', () => {
    const question = basic('openchoreo.component.create', 'create');

    it('decides checks that carry no identity provider token', async () => {
      const member = await signInAnybody(backend.url, 'cached');
      api.grant(member.idpToken, { 'component:create': allow('*') });
      api.forget();
      const bare = () => authorize(backend.url, member.backstageToken, [question]);
      expect((await bare()).results).toEqual(['DENY']);
      expect(api.tokens).toEqual([]);
      await preCache(backend, member);
      expect((await bare()).results).toEqual(['ALLOW']);
      expect(await ask(member, question)).toBe('200 ALLOW');
      expect(api.tokens).toEqual([member.idpToken]);
    });

    it('keeps a revoked capability, even after a new sign-in', async () => {
      const member = await signInAnybody(backend.url, 'dismissed');
      api.grant(member.idpToken, { 'component:create': allow('*') });
      expect(await ask(member, question)).toBe('200 ALLOW');
      api.grant(member.idpToken, {});
      const again = { ...member, idpToken: idpTokenOf(member.name) };
      api.grant(again.idpToken, {});
      expect(await ask(member, question)).toBe('200 ALLOW');
      expect(await ask(again, question)).toBe('200 ALLOW');
      // The call that OpenChoreo makes at sign-in refreshes the cache.
      await preCache(backend, again);
      expect(await ask(member, question)).toBe('200 DENY');
    });

    it('does not store errors', async () => {
      const member = await signInAnybody(backend.url, 'late');
      expect(await ask(member, question)).toBe('200 DENY');
      api.grant(member.idpToken, { 'component:create': allow('*') });
      expect(await ask(member, question)).toBe('200 ALLOW');
    });

    it('is not needed to see what OpenChoreo does not manage', async () => {
      const member = await signInAnybody(backend.url, 'unknown');
      const seen = await byRefs(readerOf(backend, member), ENTITIES);
      expect(seen.sort()).toEqual([...UNMANAGED].sort());
    });
  });
});

describe.each([
  {
    mode: 'with authz disabled',
    openchoreo: {
      baseUrl: 'http://127.0.0.1:1',
      features: { authz: { enabled: false } },
    },
    line: 'OpenChoreo permission policy disabled via openchoreo.features.authz.enabled=false. Using allow-all policy.',
  },
  {
    mode: 'without openchoreo in the config',
    openchoreo: undefined,
    line: 'OpenChoreo permission policy disabled - no openchoreo configuration found. Using allow-all policy.',
  },
])('$mode', ({ openchoreo, line }) => {
  let backend: RunningBackend;
  let member: Member;

  beforeAll(async () => {
    backend = await startOpenChoreoBackend({
      ...(openchoreo ? { openchoreo } : {}),
      policyRouter: documented(),
    });
    member = await signInAnybody(backend.url, 'nobody');
  });
  afterAll(() => backend?.stop());

  it('logs that', () => {
    expect(backend.logs.lines.map(({ message }) => message)).toContain(line);
  });

  it('allows everything that is routed to it', async () => {
    const own = [
      SMOKE,
      basic('openchoreo.project.create', 'create'),
      onComponent('update', LEDGER),
      onEntity('catalog.entity.read', 'read', LEDGER),
      basic('catalog.entity.create', 'create'),
      basic('scaffolder.task.create', 'create'),
    ];
    const { status, results } = await authorizeAs(backend, member, ...own);
    expect(status).toBe(200);
    expect(results).toEqual(anyTimes('ALLOW', own));
  });

  it('lets ownership decide what is routed to both', async () => {
    const { results } = await authorizeAs(
      backend,
      member,
      onEntity('catalog.entity.delete', 'delete', LEDGER),
    );
    expect(results).toEqual(['DENY']);
    expect(verdictsByPermission(backend.traces)['catalog.entity.delete']).toEqual([
      "'catalog.entity' [update, delete]",
      'openchoreo: ALLOW',
      'ownership: CONDITIONAL',
    ]);
  });

  it('does not decide what it would allow but is not routed to it', async () => {
    const { results } = await authorizeAs(backend, member, ...ELSEWHERE);
    expect(results).toEqual(anyTimes('DENY', ELSEWHERE));
  });

  it('has no routes of its own', async () => {
    const { status } = await callRoute(
      backend,
      '/evaluate-with-context',
      {},
      headersOf(member),
    );
    expect(status).toBe(404);
  });
});

describe('a request without a user', () => {
  let api: ProfileApi;
  let backend: RunningBackend;
  const routes = ['openchoreo', 'catalog', 'scaffolder'].map(prefix => ({
    prefix,
    sources: ['openchoreo'],
  }));
  const ask = () =>
    authorize(backend.url, undefined, [
      onEntity('catalog.entity.read', 'read', LEDGER),
      onEntity('catalog.entity.delete', 'delete', LEDGER),
      basic('catalog.entity.create', 'create'),
      basic('openchoreo.project.create', 'create'),
      basic('scaffolder.task.create', 'create'),
    ]);

  beforeAll(async () => {
    api = await startProfileApi();
    backend = await startOpenChoreoBackend({
      openchoreo: { baseUrl: api.url },
      policyRouter: documented({ routes, anonymous: 'evaluate' }),
      configFiles: ['test/fixtures/app-config.anonymous.yaml'],
    });
  });

  afterAll(async () => {
    await backend?.stop();
    await api?.stop();
  });

  it('may read and delete entities if the router asks OpenChoreo', async () => {
    expect(await ask()).toEqual({
      status: 200,
      results: ['ALLOW', 'ALLOW', 'DENY', 'DENY', 'DENY'],
    });
    expect(verdictsByPermission(backend.traces)['catalog.entity.delete']).toEqual([
      "'catalog'",
      'openchoreo: ALLOW',
    ]);
  });

  it('is denied by default, without asking OpenChoreo', async () => {
    const since = backend.logs.lines.length;
    await backend.writeConfig(documented({ routes }));
    await backend.logs.waitFor('The changed config is in use', since);
    backend.traces.length = 0;
    expect(await ask()).toEqual({
      status: 200,
      results: anyTimes('DENY', Array(5).fill(0)),
    });
    expect(backend.traces.map(({ sources, reason }) => [sources, reason])).toEqual(
      anyTimes([[], 'the request has no user (anonymous: deny)'], Array(5).fill(0)),
    );
  });
});
