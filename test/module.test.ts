/** The line at the start tells what is in force and open; after the shutdown nothing is. */
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { summary } from '../src/config/summary';
import { readConfig } from '../src/config/read';
import { createPolicyRouterModule } from '../src/module';
import type { DecisionRecord } from '../src/trace/record';
import { ChangingConfig } from './support/changing-config';
import { CapturedLogs } from './support/captured-logs';
import { queryOf, USER } from './support/in-process';
import { decision, startStub } from './support/stub-server';

const opa = { type: 'opa', baseUrl: 'http://127.0.0.1:8181', entrypoint: 'a/b' };

const summaryOf = (more: object): string =>
  summary(
    readConfig({
      fallback: 'deny',
      sources: { opa },
      routes: [{ prefix: 'catalog', sources: ['opa'] }],
      ...more,
    }).config,
  );

const START = '1 route, 1 source (opa).';
const DENY = 'A permission no route matches gets DENY.';

it.each([
  ['the routes and their sources', {}, `${START} ${DENY}`],
  [
    'a fallback that allows',
    { fallback: 'allow' },
    `${START} A permission no route matches gets ALLOW (fallback: allow).`,
  ],
  [
    'the standbys',
    {
      sources: {
        opa: { ...opa, standby: 'second' },
        second: { ...opa, standby: 'own' },
        own: { type: 'ownership' },
      },
    },
    `${START} ${DENY} Standby: 'opa' → 'second' → 'own'.`,
  ],
  [
    'conditions that are not verified',
    { verifyConditions: false },
    `${START} ${DENY} Conditions are NOT VERIFIED (verifyConditions: false).`,
  ],
  [
    'what an outage opens',
    { onUnavailable: 'fail-open' },
    `${START} ${DENY} FAIL-OPEN, so an outage allows: source 'opa' on routes[0] 'catalog'.`,
  ],
])('names %s', (_what, more, expected) => {
  expect(summaryOf(more)).toBe(expected);
});

describe('at shutdown', () => {
  /** What Backstage gives the module's init, and what it has done with it. */
  async function startModule(policyRouter: object) {
    const rootConfig = new ChangingConfig(policyRouter);
    const logs = new CapturedLogs();
    const traces: DecisionRecord[] = [];
    let policy: PermissionPolicy | undefined;
    let shutDown: () => unknown = () => {};
    const feature = createPolicyRouterModule([trace => traces.push(trace)]);
    const [registration] = (feature as unknown as InternalModule).getRegistrations();
    await registration.init.func({
      permission: { setPolicy: (given: PermissionPolicy) => (policy = given) },
      rootConfig,
      logger: logs.logger(),
      lifecycle: { addShutdownHook: (hook: () => unknown) => (shutDown = hook) },
    });
    return {
      logs,
      traces,
      shutDown: () => shutDown(),
      decide: () => policy!.handle(queryOf('tested'), USER),
      change: async (fallback: string): Promise<void> => {
        rootConfig.change({ ...policyRouter, fallback });
        // Nothing in this config is read from elsewhere: a reload needs some microtasks.
        for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
      },
    };
  }

  interface InternalModule {
    getRegistrations(): [{ init: { func(services: object): Promise<void> } }];
  }

  it('closes the sources, and takes no changed config any more', async () => {
    const stub = await startStub(decision({ result: 'ALLOW' }));
    try {
      const { logs, traces, shutDown, decide, change } = await startModule({
        fallback: 'deny',
        sources: { opa: { ...opa, baseUrl: stub.url } },
        routes: [{ prefix: 'tested', sources: ['opa'] }],
      });
      const inUse = (): number =>
        logs.lines.filter(({ message }) => message.includes('is in use')).length;
      await change('allow');
      expect(inUse()).toBe(1);
      expect(await decide()).toEqual({ result: 'ALLOW' });

      shutDown();
      expect(await decide()).toEqual({ result: 'DENY' });
      expect(traces.at(-1)!.sources[0]!.failure!.code).toBe('CLOSED');
      await change('deny');
      expect(inUse()).toBe(1);
    } finally {
      await stub.stop();
    }
  });
});
