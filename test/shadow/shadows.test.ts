/** Decisions are compared after they have been answered, and nothing else of them changes. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { SHADOW_SLOTS } from '../../src/guard/shadow-guard';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { OpaSource } from '../../src/sources/opa/source';
import { MAX_DIFFERENCES } from '../../src/shadow/kept';
import { MAX_UNDER_WAY } from '../../src/shadow/shadows';
import { permission } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { queryOf, USER } from '../support/in-process';
import { patiently } from '../support/patience';
import {
  startRouter,
  type StartRouterOptions,
  type TestRouter,
} from '../support/router';
import { until } from '../support/until';
import { compared, comparedSoFar, countsOf } from '../support/shadows';
import {
  answer,
  decision,
  silence,
  startStub,
  type StubServer,
} from '../support/stub-server';

let live: StubServer;
let next: StubServer;
let router: TestRouter;
beforeEach(async () => {
  live = await startStub(decision({ result: 'ALLOW' }));
  next = await startStub(decision({ result: 'DENY' }));
});
afterEach(async () => {
  router.close();
  await Promise.all([live.stop(), next.stop()]);
});

const opa = ({ url }: StubServer, more: object = {}): object => ({
  type: 'opa',
  baseUrl: url,
  entrypoint: 'a/b',
  ...more,
});

const table = (more: object = {}): object => ({
  fallback: 'deny',
  shadow: { opa: 'opa-next' },
  sources: {
    opa: opa(live),
    'opa-next': opa(next),
    own: { type: 'ownership' },
  },
  routes: [
    { prefix: 'tested', sources: ['opa'] },
    { prefix: 'other', sources: ['allow'] },
  ],
  ...more,
});

const start = async (
  policyRouter: object = table(),
  options: StartRouterOptions = {},
): Promise<TestRouter> =>
  (router = await startRouter(patiently(policyRouter), options));

const decide = async (name = 'tested'): Promise<string> =>
  (await router.decide(queryOf(name), USER)).result;

const differences = () => router.shadows.status.differences;

describe('a decision', () => {
  it('is compared with what the other source makes of it', async () => {
    await start();
    expect(await decide()).toBe('ALLOW');
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 differs"]);
    expect(differences()).toEqual([
      expect.objectContaining({
        user: 'user:default/nolan',
        route: "'tested'",
        replaced: 'opa',
        by: 'opa-next',
        live: expect.objectContaining({ result: 'ALLOW' }) as object,
        shadow: expect.objectContaining({
          result: 'DENY',
          sources: [expect.objectContaining({ source: 'opa-next', verdict: 'DENY' })],
        }) as object,
      }),
    ]);
  });

  it('is the same if the result is', async () => {
    next.become(decision({ result: 'ALLOW' }));
    await start();
    await decide();
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 same"]);
    expect(differences()).toEqual([]);
  });

  it('of another route is not compared, nor is an explanation', async () => {
    await start();
    await decide('other');
    await router.explain(queryOf('tested').permission, { ownershipEntityRefs: [] });
    await decide();
    await compared(router.shadows, 1);
    expect(next.requests()).toBe(1);
  });

  it('is answered before anything is asked', async () => {
    await start();
    const { result } = await router.undelayed.handle(queryOf('tested'), USER);
    expect(result).toBe('ALLOW');
    expect(next.requests()).toBe(0);
    expect(next.connections()).toBe(0);
    await compared(router.shadows, 1);
  });

  it('is compared outside of the request of its caller', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const prepare = jest.spyOn(OpaSource.prototype, 'prepare');
    prepare.mockImplementation(() => ({
      key: undefined,
      put: async () => {
        seen.push(request.getStore());
        return { kind: 'ALLOW', reason: 'seen' };
      },
    }));
    await start();
    await request.run('of a caller', () => decide());
    await compared(router.shadows, 1);
    expect(seen).toEqual(['of a caller', undefined]);
    prepare.mockRestore();
  });
});

describe('a question without a resource', () => {
  const KNOWN = permission('tested', {
    action: 'delete',
    resourceType: 'catalog-entity',
  });

  it('is compared by what its caller would get', async () => {
    live.become(decision({ result: 'DENY' }));
    await start(table({ shadow: { opa: 'own' }, whenAskedWithoutResource: 'allow' }), {
      plugins: {
        installed: async () => ['catalog'],
        read: async () => ({ kind: 'published', body: { permissions: [KNOWN] } }),
      },
    });
    await until(async () => {
      await router.decide(queryOf('unknown'), USER);
      return router.record?.declared === 'none';
    }, 'the plugins are read');
    const user = {
      credentials: { principal: { type: 'user' } },
      info: { ...USER.info, ownershipEntityRefs: ['group:default/search'] },
    } as unknown as typeof USER;
    const { result } = await router.decide(queryOf('tested'), user);
    expect(result).toBe('DENY');
    await compared(router.shadows, 1);
    // `own` gives conditions, which such a caller cannot apply.
    expect(differences()[0]!.shadow).toMatchObject({
      result: 'ALLOW',
      reason: expect.stringContaining('whenAskedWithoutResource') as string,
      sources: [{ source: 'own', verdict: 'CONDITIONAL' }],
    });
  });
});

describe('the other sources of the route', () => {
  it('are not asked again', async () => {
    await start(
      table({
        sources: { opa: opa(live), 'opa-next': opa(next), third: opa(live) },
        routes: [{ prefix: 'tested', sources: ['third', 'opa'] }],
      }),
    );
    await decide();
    await compared(router.shadows, 1);
    expect(live.requests()).toBe(2);
    expect(differences()[0]!.shadow.sources).toEqual([
      expect.objectContaining({ source: 'third', verdict: 'ALLOW' }),
      expect.objectContaining({ source: 'opa-next', verdict: 'DENY' }),
    ]);
  });

  it('are asked if the decision had no need to', async () => {
    live.become(decision({ result: 'DENY' }));
    next.become(decision({ result: 'ALLOW' }));
    const third = await startStub(decision({ result: 'ALLOW' }));
    await start(
      table({
        sources: { opa: opa(live), 'opa-next': opa(next), third: opa(third) },
        routes: [{ prefix: 'tested', sources: ['opa', 'third'] }],
      }),
    );
    expect(await decide()).toBe('DENY');
    await compared(router.shadows, 1);
    expect(third.requests()).toBe(1);
    expect(differences()[0]!.shadow.result).toBe('ALLOW');
    await third.stop();
  });

  it('may be the one that takes the place', async () => {
    await start(
      table({ routes: [{ prefix: 'tested', sources: ['opa', 'opa-next'] }] }),
    );
    expect(await decide()).toBe('DENY');
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 same"]);
    expect(next.requests()).toBe(1);
  });
});

describe('the results cannot be compared', () => {
  it('while the live source fails; then nobody else is asked', async () => {
    live.become(answer('{}', '503 Unavailable'));
    await start();
    expect(await decide()).toBe('DENY');
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 live_failure"]);
    expect(next.requests()).toBe(0);
  });

  it('if the other source fails', async () => {
    next.become(answer('{}', '503 Unavailable'));
    await start();
    expect(await decide()).toBe('ALLOW');
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual([
      "'tested' opa→opa-next: 1 shadow_failure",
    ]);
  });

  it('if a hosted policy would have to be asked', async () => {
    live.become(decision({ result: 'DENY' }));
    next.become(decision({ result: 'ALLOW' }));
    const policies = new ProvidedPolicies();
    const handle = jest.fn(async () => ({ result: 'ALLOW' }) as never);
    policies.host('team').setPolicy({ handle });
    policies.close();
    await start(
      table({
        sources: {
          opa: opa(live),
          'opa-next': opa(next),
          team: { type: 'hosted' },
        },
        routes: [{ prefix: 'tested', sources: ['opa', 'team'] }],
      }),
      { policies },
    );
    await decide();
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 hosted"]);
    expect(handle).not.toHaveBeenCalled();
  });

  it('but they can if it has answered before', async () => {
    const policies = new ProvidedPolicies();
    const handle = jest.fn(async () => ({ result: 'ALLOW' }) as never);
    policies.host('team').setPolicy({ handle });
    policies.close();
    await start(
      table({
        sources: {
          opa: opa(live),
          'opa-next': opa(next),
          team: { type: 'hosted' },
        },
        routes: [{ prefix: 'tested', sources: ['team', 'opa'] }],
      }),
      { policies },
    );
    await decide();
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 differs"]);
    expect(handle).toHaveBeenCalledTimes(1);
  });
});

describe('of the decisions', () => {
  it('as many are compared as percent says', async () => {
    const random = jest.spyOn(Math, 'random');
    await start(table({ shadow: { opa: { source: 'opa-next', percent: 10 } } }));
    for (const value of [0.5, 0.1, 0.099, 0]) {
      random.mockReturnValueOnce(value);
      await decide(`tested.${value}`);
    }
    await compared(router.shadows, 2);
    random.mockRestore();
    expect(next.requests()).toBe(2);
  });

  it('at most 64 are compared at once; more are skipped and counted', async () => {
    next.become(silence);
    await start();
    const asked = Array.from({ length: MAX_UNDER_WAY + 3 }, (_, index) =>
      router.undelayed.handle(queryOf(`tested.${index}`), USER),
    );
    await Promise.all(asked);
    await compared(router.shadows, 3);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 3 skipped"]);
    await next.untilRequests(SHADOW_SLOTS);
    expect(next.connections()).toBe(SHADOW_SLOTS);
  });

  it(`the latest ${MAX_DIFFERENCES} that differ are kept`, async () => {
    await start(table({ shadow: { opa: 'deny' } }));
    for (let count = 0; count <= MAX_DIFFERENCES; count++) {
      await decide(`tested.q${count}`);
      await compared(router.shadows, count + 1);
    }
    expect(differences()).toHaveLength(MAX_DIFFERENCES);
    expect(differences()[0]!.permission!.name).toBe('tested.q1');
    expect(differences().at(-1)!.permission!.name).toBe(`tested.q${MAX_DIFFERENCES}`);
  });

  it('the first of a route that differs is logged', async () => {
    const logs = new CapturedLogs();
    await start(table(), { logger: logs.logger() });
    for (let count = 1; count <= 3; count++) {
      await decide();
      await compared(router.shadows, count);
    }
    const warned = logs.lines.filter(({ level }) => level === 'warn');
    expect(warned.map(({ message }) => message)).toEqual([
      "'tested': 'opa-next' in place of 'opa' decides differently. Nobody is affected. " +
        'GET shadow lists the differences; further ones of this route are not logged',
    ]);
  });
});

describe('after a reload', () => {
  it('counts go on if the same sources are compared', async () => {
    await start();
    await decide();
    await compared(router.shadows, 1);
    await router.reload(patiently(table({ anonymous: 'evaluate' })));
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→opa-next: 1 differs"]);
    await router.reload(
      patiently(table({ routes: [{ prefix: 'else', sources: ['opa'] }] })),
    );
    expect(countsOf(router.shadows)).toEqual([]);
  });

  it('counts start anew if others are', async () => {
    await start();
    await decide();
    await compared(router.shadows, 1);
    await router.reload(patiently(table({ shadow: { opa: 'deny' } })));
    expect(countsOf(router.shadows)).toEqual([]);
    expect(differences()).toEqual([]);
    await decide();
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→deny: 1 differs"]);
  });

  it('what was under way counts for nothing', async () => {
    next.become(silence);
    await start();
    await decide();
    await next.untilRequests(1);
    await router.reload(patiently(table({ shadow: { opa: 'deny' } })));
    next.become(decision({ result: 'ALLOW' }));
    await decide();
    await compared(router.shadows, 1);
    expect(countsOf(router.shadows)).toEqual(["'tested' opa→deny: 1 differs"]);
  });
});

describe('a source that hangs', () => {
  it('delays no decision, and moves no count, queue or breaker of the decisions', async () => {
    next.become(silence);
    // Both ask the same endpoint, and the decisions need its only slot.
    const logs = new CapturedLogs();
    await start(
      table({
        routes: [
          { prefix: 'tested', sources: ['opa'] },
          { prefix: 'direct', sources: ['opa-next'] },
        ],
        sources: {
          opa: opa(live),
          'opa-next': opa(next, { concurrency: 1, queue: 0 }),
        },
      }),
      { logger: logs.logger() },
    );
    for (let count = 1; count <= 3; count++)
      expect(await decide(`tested.${count}`)).toBe('ALLOW');
    await next.untilRequests(3);
    next.become(decision({ result: 'ALLOW' }));
    expect(await decide('direct')).toBe('ALLOW');
    expect(comparedSoFar(router.shadows)).toBe(0);
  });
});

describe('once the router is closed', () => {
  it('what is under way ends, and nothing is recorded', async () => {
    next.become(silence);
    await start();
    await decide();
    await next.untilRequests(1);
    router.close();
    await next.untilOpen(0);
    expect(comparedSoFar(router.shadows)).toBe(0);
  });

  it('it ends at once, also while a decision is still under way', async () => {
    next.become(silence);
    await start();
    await decide();
    await next.untilRequests(1);
    live.become(silence);
    const last = router.undelayed.handle(queryOf('tested.last'), USER);
    await live.untilRequests(2);
    router.close();
    await next.untilOpen(0);
    expect(live.open()).toBe(1);
    await live.stop();
    await last;
  });

  it('nobody is asked any more', async () => {
    await start();
    const answered = router.undelayed.handle(queryOf('tested'), USER);
    router.close();
    expect((await answered).result).toBe('ALLOW');
    for (let count = 0; count < 5; count++) await turn();
    expect(next.connections()).toBe(0);
    expect(comparedSoFar(router.shadows)).toBe(0);
  });
});
