/** What is put together from a config, and what a reload and a close do with it. */
import { inspect } from 'node:util';
import { ConfigReader } from '@backstage/config';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { ConfigError } from '../src/config/types';
import { ProvidedPolicies } from '../src/hosting/provided-policies';
import { createRouter } from '../src/router';
import { OpaSource } from '../src/sources/opa/source';
import { permission } from './fixtures/builders';
import { CapturedLogs } from './support/captured-logs';
import { ChangingConfig } from './support/changing-config';
import { queryOf, USER } from './support/in-process';
import { patiently } from './support/patience';
import {
  startRouter,
  type StartRouterOptions,
  type TestRouter,
} from './support/router';
import { published, unread } from './support/rule-directory';
import { decision, startStub, type StubServer } from './support/stub-server';

const TABLE = {
  fallback: 'deny',
  routes: [{ prefix: 'open', sources: ['allow'] }],
};
const NO_BUNDLE = {
  type: 'opa-wasm',
  bundle: 'no-such-bundle.tar.gz',
  entrypoint: 'a/b',
};

let stub: StubServer;
let router: TestRouter | undefined;
beforeEach(async () => {
  stub = await startStub(decision({ result: 'ALLOW' }));
});
afterEach(async () => {
  router?.close();
  router = undefined;
  await stub.stop();
});

const start = async (
  policyRouter: object,
  options: StartRouterOptions = {},
): Promise<TestRouter> =>
  (router = await startRouter(patiently(policyRouter), options));

const opa = (more: object = {}): object => ({
  type: 'opa',
  baseUrl: stub.url,
  entrypoint: 'a/b',
  ...more,
});

const withOpa = (sources: object = { opa: opa() }, more: object = {}): object => ({
  fallback: 'deny',
  sources,
  routes: [{ prefix: 'tested', sources: ['opa'] }],
  ...more,
});

const decide = async (name: string): Promise<string> =>
  (await router!.decide(queryOf(name), USER)).result;

describe('a router', () => {
  it('decides by the table of the config', async () => {
    await start(TABLE);
    expect(await decide('open.read')).toBe('ALLOW');
    expect(await decide('other.read')).toBe('DENY');
  });

  it('asks the sources of the config', async () => {
    await start(withOpa());
    expect(await decide('tested')).toBe('ALLOW');
    expect(stub.requests()).toBe(1);
  });

  it('has the policies that modules provide as sources', async () => {
    const policies = new ProvidedPolicies();
    policies.addSource('team', { handle: async () => ({ result: 'ALLOW' }) as never });
    await start(
      {
        fallback: 'deny',
        sources: { team: { type: 'hosted' } },
        routes: [{ prefix: 'tested', sources: ['team'] }],
      },
      { policies },
    );
    expect(await decide('tested')).toBe('ALLOW');
  });

  it('asks the userInfo service who asks, and the plugin for the rules of conditions', async () => {
    const getUserInfo = jest.fn(async () => ({
      userEntityRef: 'user:default/olivia',
      ownershipEntityRefs: ['user:default/olivia'],
    }));
    const readRules = jest.fn(async () => unread);
    await start(
      {
        fallback: 'deny',
        sources: { ownership: { type: 'ownership' } },
        routes: [{ prefix: 'catalog', sources: ['ownership'] }],
      },
      { userInfo: { getUserInfo }, readRules },
    );
    const onEntity = permission('catalog.entity.delete', {
      resourceType: 'catalog-entity',
    });
    const { credentials } = USER;
    const decided = await router!.decide({ permission: onEntity }, {
      credentials,
    } as PolicyQueryUser);
    expect(decided.result).toBe('CONDITIONAL');
    expect(getUserInfo.mock.calls).toEqual([[credentials]]);
    expect(readRules.mock.calls).toEqual([['catalog']]);
  });

  it('records each decision in the log, in the warnings of failures and in every sink', async () => {
    stub.become(decision({ result: 'nonsense' }));
    const logs = new CapturedLogs();
    const sinks = [jest.fn(), jest.fn()];
    await start(withOpa(), { logger: logs.logger(), sinks });
    expect(await decide('tested')).toBe('DENY');
    for (const sink of sinks) {
      expect(sink.mock.calls).toEqual([[router!.record]]);
    }
    expect(logs.lines.map(({ level }) => level)).toEqual(['debug', 'warn']);
  });

  it('gives the config that it started with, and its warnings', async () => {
    const created = await createRouter({
      config: new ConfigReader({ permission: { policyRouter: TABLE } }),
      services: {
        logger: new CapturedLogs().logger(),
        userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
        readRules: async () => unread,
        policies: new ProvidedPolicies(),
      },
    });
    expect(created.startConfig.config.fallback).toBe('deny');
    expect(created.startConfig.warnings).toEqual([]);
    created.close();
  });
});

describe('the start', () => {
  it('fails with every problem of the config', async () => {
    const starting = startRouter({ fallback: 'open', routes: 'none' });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(
      /policyRouter\.fallback: must be[^]*policyRouter\.routes: /,
    );
  });

  it('fails if a source cannot be set up, and closes those that were', async () => {
    const close = jest.spyOn(OpaSource.prototype, 'close');
    const starting = startRouter(
      withOpa({ opa: opa(), more: opa({ concurrency: 2 }), embedded: NO_BUNDLE }),
    );
    await expect(starting).rejects.toThrow(
      /permission\.policyRouter\.sources\.embedded: .*no-such-bundle/,
    );
    expect(close).toHaveBeenCalledTimes(2);
    close.mockRestore();
  });

  it('that fails follows no config', async () => {
    const config = new ChangingConfig({ fallback: 'open' });
    const subscribe = jest.fn();
    const service = new Proxy(config.service, {
      get: (target, key): unknown =>
        key === 'subscribe' ? subscribe : Reflect.get(target, key),
    });
    const starting = createRouter({
      config: service,
      services: {
        logger: new CapturedLogs().logger(),
        userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
        readRules: async () => unread,
        policies: new ProvidedPolicies(),
      },
    });
    await expect(starting).rejects.toThrow(ConfigError);
    expect(subscribe).not.toHaveBeenCalled();
  });
});

describe('a changed config', () => {
  it('decides from then on', async () => {
    await start(TABLE);
    const { config } = await router!.reload({ ...TABLE, fallback: 'allow' });
    expect(config.fallback).toBe('allow');
    expect(await decide('other.read')).toBe('ALLOW');
  });

  it('that is not valid changes nothing and is an error', async () => {
    const logs = new CapturedLogs();
    await start(TABLE, { logger: logs.logger() });
    router!.change({ ...TABLE, fallback: 'open' });
    const line = await logs.waitFor('The changed config is not used');
    expect(line.level).toBe('error');
    expect(line.message).toContain("must be 'allow' or 'deny'");
    expect(await decide('open.read')).toBe('ALLOW');
    expect(await decide('other.read')).toBe('DENY');
  });

  it('whose source cannot be set up changes nothing, and closes what was made for it', async () => {
    const logs = new CapturedLogs();
    await start(withOpa(), { logger: logs.logger() });
    expect(await decide('tested')).toBe('ALLOW');
    const close = jest.spyOn(OpaSource.prototype, 'close');
    router!.change(
      patiently(
        withOpa({ opa: opa(), more: opa({ concurrency: 2 }), embedded: NO_BUNDLE }),
      ),
    );
    const line = await logs.waitFor('The changed config is not used');
    expect(line.message).toContain('no-such-bundle');
    expect(close).toHaveBeenCalledTimes(1);
    close.mockRestore();
    expect(await decide('tested')).toBe('ALLOW');
  });

  it('keeps the sources that are the same, whatever else changes, and closes the others', async () => {
    await start(withOpa());
    const close = jest.spyOn(OpaSource.prototype, 'close');
    for (const fallback of ['allow', 'deny', 'allow']) {
      await router!.reload(patiently(withOpa({ opa: opa() }, { fallback })));
      expect(await decide('tested')).toBe('ALLOW');
    }
    expect(close).toHaveBeenCalledTimes(0);
    await router!.reload(patiently(withOpa({ opa: opa({ concurrency: 2 }) })));
    expect(await decide('tested')).toBe('ALLOW');
    expect(close).toHaveBeenCalledTimes(1);
    close.mockRestore();
  });
});

describe('observe', () => {
  const tomorrow = (): string =>
    new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const observed = (until: string): object => ({
    ...TABLE,
    observe: { answer: 'allow', until },
  });
  /** Another digest for the same decisions. */
  const LONGER = { deadline: '9m' };

  it('that ends soon is a warning, at the start and after a reload', async () => {
    const logs = new CapturedLogs();
    const warnings = (): number =>
      logs.lines.filter(({ message }) => message.includes('observe ends on')).length;
    await start(observed(tomorrow()), { logger: logs.logger() });
    expect(warnings()).toBe(1);
    await router!.reload(patiently({ ...observed(tomorrow()), fallback: 'allow' }));
    expect(warnings()).toBe(2);
    await router!.reload(patiently(TABLE));
    expect(warnings()).toBe(2);
  });

  it('is summed until a reload changes the table', async () => {
    const config = new ChangingConfig(patiently(observed('2999-01-31')));
    let reloaded = (): void => {};
    const running = await createRouter({
      config: config.service,
      services: {
        logger: new CapturedLogs().logger(),
        userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
        readRules: () => Promise.resolve(unread),
        policies: new ProvidedPolicies(),
      },
      onReload: () => reloaded(),
    });
    const decideOnce = async (): Promise<void> => {
      await running.policy.handle(queryOf('other.read'), USER);
      await new Promise(resolve => setImmediate(resolve));
      running.flush();
    };
    const reload = (next: object): Promise<void> =>
      new Promise(resolve => {
        reloaded = resolve;
        config.change(patiently(next));
      });
    await decideOnce();
    await decideOnce();
    expect(running.observed.answer()).toMatchObject({
      digest: running.startConfig.digest,
      totals: { observed: 2, wouldBeDenied: 2 },
      sums: [{ route: 'fallback', count: 2, lastNumber: 2 }],
    });
    await reload({ ...observed('2999-01-31'), recentDecisions: 7 });
    expect(running.observed.answer().totals.observed).toBe(2);
    await reload({ ...observed('2999-01-31'), ...LONGER });
    expect(running.observed.answer()).toMatchObject({
      digest: running.inUse.read.digest,
      totals: { observed: 0 },
      sums: [],
    });
    running.close();
  });
});

it('prints no secret', async () => {
  const token = 'a-token-of-opa';
  const created = await createRouter({
    config: new ChangingConfig(withOpa({ opa: opa({ auth: { token } }) })).service,
    services: {
      logger: new CapturedLogs().logger(),
      userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
      readRules: () => Promise.resolve(unread),
      policies: new ProvidedPolicies(),
    },
  });
  expect(inspect(created, { depth: 20, showHidden: true })).not.toContain(token);
  expect(JSON.stringify(created)).not.toContain(token);
  created.close();
});

describe('conditions in the config', () => {
  const written = (rule: string, more: object = {}): object => ({
    fallback: 'deny',
    sources: {
      yaml: {
        type: 'conditions',
        rules: [
          { result: 'deny', actions: ['delete'] },
          {
            pluginId: 'catalog',
            conditions: { rule, params: { refs: '$ownershipRefs' } },
          },
        ],
      },
    },
    routes: [{ prefix: 'tested', sources: ['yaml'] }],
    ...more,
  });
  const readRules = jest.fn(async () => published({ name: 'R', resourceType: 'a' }));
  const told = (rule: string): string =>
    'permission.policyRouter.sources.yaml.rules[1]: these conditions cannot be applied, so what they decide is denied: ' +
    `plugin "catalog" has no rule "${rule}" for resource type "a"`;
  beforeEach(() => readRules.mockClear());

  it('are compared with the rules of their plugin once all plugins have started, and after a reload', async () => {
    const logs = new CapturedLogs();
    let started = (): void => {};
    await start(written('R'), {
      logger: logs.logger(),
      readRules,
      whenStarted: callback => {
        started = callback;
      },
    });
    await router!.reload(written('Q'));
    expect(readRules).not.toHaveBeenCalled();
    started();
    expect((await logs.waitFor(told('Q'))).level).toBe('warn');
    await router!.reload(written('P'));
    await logs.waitFor(told('P'));
    await router!.reload(written('R'));
    expect(logs.lines.map(({ message }) => message)).toEqual([told('Q'), told('P')]);
  });

  it('are not if conditions are not to be verified', async () => {
    await start(written('Q', { verifyConditions: false }), { readRules });
    expect(readRules).not.toHaveBeenCalled();
  });

  it('are not once the router is closed', async () => {
    let started = (): void => {};
    await start(written('Q'), {
      readRules,
      whenStarted: callback => {
        started = callback;
      },
    });
    router!.close();
    started();
    expect(readRules).not.toHaveBeenCalled();
  });
});

describe('a closed router', () => {
  it('closes its sources, and denies what they would decide', async () => {
    await start(withOpa({ opa: opa({ onUnavailable: 'fail-open' }) }));
    expect(await decide('tested')).toBe('ALLOW');
    router!.close();
    await stub.untilOpen(0);
    expect(await decide('tested')).toBe('DENY');
    expect(router!.record!.sources[0]!.failure!.code).toBe('CLOSED');
    expect(stub.requests()).toBe(1);
  });

  it('follows the config no longer', async () => {
    await start(TABLE);
    router!.close();
    const reloaded = router!.reload({ ...TABLE, fallback: 'allow' });
    // Nothing in this config is read from elsewhere: a reload needs some microtasks.
    const turns = (async () => {
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
      return 'not reloaded';
    })();
    expect(await Promise.race([reloaded, turns])).toBe('not reloaded');
    expect(await decide('other.read')).toBe('DENY');
  });
});

it('says how many declared permissions no route matches, also after a reload', async () => {
  const logs = new CapturedLogs();
  const body = {
    permissions: [permission('jobs.run', { action: 'create' })],
    rules: [],
  };
  const started = await startRouter(withOpa(), {
    logger: logs.logger(),
    plugins: {
      installed: () => Promise.resolve(['jobs']),
      read: () => Promise.resolve({ kind: 'published', body }),
    },
  });
  const line = await logs.waitFor('1 matches no route and gets the fallback (DENY)');
  expect(line.level).toBe('info');
  await started.reload(withOpa({ opa: opa() }, { fallback: 'allow' }));
  await logs.waitFor('1 matches no route and gets the fallback (ALLOW)');
  started.close();
});
