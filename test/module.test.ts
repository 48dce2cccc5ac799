/** What the module does with a backend, from its start to its shutdown. */
import { createBackendModule } from '@backstage/backend-plugin-api';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { readConfig } from '../src/config/read';
import { queryOf, USER } from './support/in-process';
import { startModule, type StartedModule } from './support/module';
import { decision, startStub, type StubServer } from './support/stub-server';

const TABLE = {
  fallback: 'deny',
  routes: [{ prefix: 'tested', sources: ['allow'] }],
};

let started: StartedModule | undefined;
let stub: StubServer | undefined;
afterEach(async () => {
  await started?.stop();
  await stub?.stop();
  started = stub = undefined;
});

describe('at the start', () => {
  it('the router becomes the permission policy, and the log says what is in force', async () => {
    started = await startModule(TABLE);
    expect(await started.decide(queryOf('tested'), USER)).toEqual({ result: 'ALLOW' });
    expect(await started.decide(queryOf('other'), USER)).toEqual({ result: 'DENY' });
    const { level, message } = await started.logs.waitFor('is the permission policy');
    expect(`${level} ${message}`).toBe(
      'info The policy router is the permission policy: 1 route, 1 source (allow). ' +
        `A permission no route matches gets DENY. Digest ${(await readConfig(TABLE)).digest}.`,
    );
    expect(started.logs.lines.filter(line => line.level === 'warn')).toEqual([]);
    expect(started.middlewares).toEqual([]);
  });

  it('each decision is handed to the extra sinks', async () => {
    started = await startModule(TABLE);
    await started.decide(queryOf('tested'), USER);
    expect(started.records).toMatchObject([
      { permission: { name: 'tested' }, user: 'user:default/nolan', result: 'ALLOW' },
    ]);
  });

  it('a warning says where no policy is asked', async () => {
    started = await startModule(TABLE, {
      config: { permission: { enabled: false, policyRouter: TABLE } },
    });
    const line = await started.logs.waitFor('permission.enabled is not true');
    expect(line.level).toBe('warn');
  });
});

const openPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'open-policy',
  register(registration) {
    registration.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        policy.setPolicy({ handle: async () => ({ result: AuthorizeResult.ALLOW }) });
      },
    });
  },
});
const continues = {
  backend: { startup: { default: { onPluginModuleBootFailure: 'continue' } } },
};

describe('a failed start', () => {
  it('fails the backend, which says why', async () => {
    const starting = startModule({ ...TABLE, fallback: 'open' });
    await expect(starting).rejects.toMatchObject({
      message: expect.stringContaining(
        "permission.policyRouter.fallback: must be 'allow' or 'deny'",
      ) as string,
    });
  });

  it.each<[why: string, policyRouter: object, reason: string]>([
    [
      'its config is wrong',
      { ...TABLE, fallback: 'open' },
      "permission.policyRouter.fallback: must be 'allow' or 'deny'",
    ],
    [
      'another module has set the policy',
      TABLE,
      'another module has already set the permission policy',
    ],
  ])(
    'of a backend that continues refuses everything if %s',
    async (_why, policyRouter, reason) => {
      started = await startModule(policyRouter, {
        config: continues,
        features: [openPolicy],
      });
      const next = jest.fn<void, [error?: unknown]>();
      expect(started.middlewares).toHaveLength(1);
      (started.middlewares[0] as Middleware)({}, {}, next);
      const error = next.mock.calls[0]?.[0];
      expect(error).toMatchObject({
        name: 'ServiceUnavailableError',
        message: 'the policy router has not started, so nothing is authorized',
      });
      expect(next.mock.calls).toEqual([[error]]);
      const line = await started.logs.waitFor('nothing is authorized');
      expect(line.level).toBe('error');
      expect(line.message).toContain(reason);
    },
  );

  type Middleware = (request: object, response: object, next: () => void) => void;
});

describe('a policy that another module has set', () => {
  it('leaves nothing of the router running', async () => {
    started = await startModule(TABLE, { config: continues, features: [openPolicy] });
    await started.logs.waitFor('nothing is authorized');
    started.config.change({ ...TABLE, fallback: 'allow' });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    expect(started.logs.lines.map(({ message }) => message)).not.toContainEqual(
      expect.stringContaining('The changed config is in use'),
    );
  });
});

describe('a changed config', () => {
  it('is taken into use, and the log says what is in force then', async () => {
    started = await startModule(TABLE);
    started.config.change({ ...TABLE, fallback: 'allow' });
    const { level, message } = await started.logs.waitFor(
      'The changed config is in use',
    );
    expect(`${level} ${message}`).toBe(
      'info The changed config is in use: 1 route, 1 source (allow). ' +
        `A permission no route matches gets ALLOW (fallback: allow). Digest ${(await readConfig({ ...TABLE, fallback: 'allow' })).digest}.`,
    );
    expect(await started.decide(queryOf('other'), USER)).toEqual({ result: 'ALLOW' });
  });
});

describe('at shutdown', () => {
  it('closes the sources, and takes no changed config any more', async () => {
    stub = await startStub(decision({ result: 'ALLOW' }));
    const table = {
      fallback: 'deny',
      sources: {
        opa: { type: 'opa', baseUrl: stub.url, entrypoint: 'a/b', timeout: '60s' },
      },
      deadline: '10m',
      routes: [{ prefix: 'tested', sources: ['opa'] }],
    };
    started = await startModule(table);
    const { config, logs, records, decide, stop } = started;
    const inUse = (): number =>
      logs.lines.filter(({ message }) => message.includes('is in use')).length;
    config.change({ ...table, fallback: 'allow' });
    await logs.waitFor('is in use');
    expect(inUse()).toBe(1);
    expect(await decide(queryOf('tested'), USER)).toEqual({ result: 'ALLOW' });

    await stop();
    expect(await decide(queryOf('tested'), USER)).toEqual({ result: 'DENY' });
    expect(records.at(-1)!.sources[0]!.failure!.code).toBe('CLOSED');
    await stub.untilOpen(0);
    config.change(table);
    // Nothing in this config is read from elsewhere: a reload needs some microtasks.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    expect(inUse()).toBe(1);
  });
});
