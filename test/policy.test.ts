/** `handle` answers every call in time, and with every call a trace that explains it. */
import type { BackstageUserInfo } from '@backstage/backend-plugin-api';
import type { ConditionalPolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import type { DecisionRecord, TraceSink } from '../src/trace/record';
import { permission } from './fixtures/builders';
import { CapturedLogs } from './support/captured-logs';
import { startRouter } from './support/router';

const user = {
  credentials: {},
  info: {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia', 'Group:default/Payments'],
  },
} as unknown as PolicyQueryUser;

const withoutInfo = { credentials: {} } as unknown as PolicyQueryUser;

const query = (name: string): PolicyQuery => ({
  permission: { type: 'basic', name, attributes: { action: 'read' } },
});

const onEntity: PolicyQuery = {
  permission: permission('catalog.entity.delete', { resourceType: 'catalog-entity' }),
};

async function routerOf(
  config: object = {},
  getUserInfo: () => Promise<BackstageUserInfo> = () =>
    Promise.reject(new Error('not expected')),
  ...sinks: TraceSink[]
) {
  const logs = new CapturedLogs();
  const traces: Array<Readonly<DecisionRecord>> = [];
  const router = await startRouter(
    {
      fallback: 'deny',
      deadline: '10m',
      routes: [{ prefix: 'open', sources: ['allow'] }],
      ...config,
    },
    {
      logger: logs.logger(),
      userInfo: { getUserInfo },
      sinks: [...sinks, trace => traces.push(trace)],
    },
  );
  return { router, traces, logs };
}

describe('handle', () => {
  it.each([
    ['no query', undefined],
    ['null', null],
    ['no permission', {}],
    ['a permission that is a string', { permission: 'catalog.entity.read' }],
    ['no name', { permission: { type: 'basic', attributes: {} } }],
    [
      'a name that is an object',
      { permission: { type: 'basic', name: {}, attributes: {} } },
    ],
    [
      'an unknown type',
      { permission: { type: 'magic', name: 'open', attributes: {} } },
    ],
    [
      'no resource type',
      { permission: { type: 'resource', name: 'open', attributes: {} } },
    ],
    ['a name of a megabyte', query('open.'.repeat(200_000))],
    [
      'a resource type of a megabyte',
      {
        permission: {
          type: 'resource',
          name: 'open',
          attributes: {},
          resourceType: 'x'.repeat(1e6),
        },
      },
    ],
    [
      'a permission whose name throws',
      {
        permission: {
          get name() {
            throw new Error('trap');
          },
        },
      },
    ],
  ])('denies %s, and does not reject', async (_name, broken) => {
    const { router, traces } = await routerOf();
    expect(await router.decide(broken as PolicyQuery, user)).toEqual({
      result: 'DENY',
    });
    expect(traces).toHaveLength(1);
    expect(traces[0]).toMatchObject({ result: 'DENY', route: undefined, sources: [] });
  });

  it.each([
    '__proto__',
    'constructor',
    '',
    '..',
    'open\u0000',
    'OPEN',
    'openx',
    'öpen',
    '\ud800',
  ])('gives the name %j the fallback', async name => {
    const { router, traces } = await routerOf();
    expect(await router.decide(query(name), user)).toEqual({ result: 'DENY' });
    expect(traces[0]).toMatchObject({ route: 'fallback' });
  });

  it('denies a request without a user by default, before any source is asked', async () => {
    const { router, traces } = await routerOf();
    expect(await router.decide(query('open'))).toEqual({ result: 'DENY' });
    expect(traces[0]).toMatchObject({
      reason: 'the request has no user (anonymous: deny)',
      sources: [],
    });
  });

  it('routes a request without a user under anonymous: evaluate, with no claims', async () => {
    const { router, traces } = await routerOf({
      anonymous: 'evaluate',
      sources: { ownership: { type: 'ownership' } },
      routes: [
        { prefix: 'open', sources: ['allow'] },
        { prefix: 'catalog', sources: ['ownership'] },
      ],
    });
    expect(await router.decide(query('open'))).toEqual({ result: 'ALLOW' });
    expect(await router.decide(onEntity)).toEqual({ result: 'DENY' });
    expect(traces[1]).toMatchObject({
      user: undefined,
      reason: 'the user has no ownership refs',
    });
  });

  it('asks the userInfo service where the host gives no info', async () => {
    const { router, traces } = await routerOf({}, async () => user.info);
    expect(await router.decide(query('open'), withoutInfo)).toEqual({
      result: 'ALLOW',
    });
    expect(traces[0]).toMatchObject({ user: 'user:default/olivia' });
  });

  it.each([
    ['fails', () => Promise.reject(new Error('secret token'))],
    ['hangs', () => new Promise<never>(() => {})],
    [
      'throws',
      () => {
        throw new Error('secret token');
      },
    ],
  ])('denies when the userInfo service %s, and warns', async (_name, getUserInfo) => {
    const { router, traces, logs } = await routerOf({ deadline: '100ms' }, getUserInfo);
    expect(await router.decide(query('open'), withoutInfo)).toEqual({ result: 'DENY' });
    expect(traces[0]).toMatchObject({
      failure: { class: 'unavailable', code: 'IDENTITY' },
    });
    expect(logs.lines.map(line => line.level)).toEqual(['debug', 'warn']);
    expect(JSON.stringify([traces, logs.lines])).not.toContain('secret');
  });

  it.each([
    ['no refs', { userEntityRef: 'user:default/x' }],
    [
      'refs that are not strings',
      { userEntityRef: 'user:default/x', ownershipEntityRefs: [{}] },
    ],
    ['no entity ref', { ownershipEntityRefs: [] }],
  ])('denies a user with %s', async (_name, info) => {
    const { router } = await routerOf();
    const broken = { credentials: {}, info } as unknown as PolicyQueryUser;
    expect(await router.decide(query('open'), broken)).toEqual({ result: 'DENY' });
  });

  it('is not changed by a trace sink that throws', async () => {
    const { router, traces } = await routerOf({}, undefined, () => {
      throw new Error('the sink is broken');
    });
    expect(await router.decide(query('open'), user)).toEqual({ result: 'ALLOW' });
    expect(traces).toHaveLength(1);
  });

  it("gives sources a frozen copy of the caller's permission", async () => {
    const { router, traces } = await routerOf();
    const asked = query('open');
    await router.decide(asked, user);
    expect(traces[0]!.permission).not.toBe(asked.permission);
    expect(Object.isFrozen(traces[0]!.permission)).toBe(true);
    expect(Object.isFrozen(traces[0]!.permission!.attributes)).toBe(true);
  });
});

describe('a trace', () => {
  it('names the route, every source with its verdict and time, and those not asked', async () => {
    const { router, traces } = await routerOf({
      sources: { ownership: { type: 'ownership' } },
      routes: [{ prefix: 'open', sources: ['ownership', 'deny', 'allow'] }],
    });
    await router.decide(query('open.read'), user);
    const written = JSON.parse(JSON.stringify(traces)) as unknown;
    expect(written).toEqual([
      {
        at: expect.any(Number) as number,
        permission: {
          type: 'basic',
          name: 'open.read',
          attributes: { action: 'read' },
        },
        // There are no plugins here, and whether that is known yet does not matter.
        declared: expect.stringMatching(/^(none|unread)$/) as string,
        user: 'user:default/olivia',
        refs: ['user:default/olivia', 'Group:default/Payments'],
        route: "'open'",
        routeIndex: 0,
        sources: [
          {
            source: 'ownership',
            verdict: 'NOT_APPLICABLE',
            reason: 'ownership does not decide basic permissions',
            milliseconds: expect.any(Number) as number,
          },
          {
            source: 'deny',
            verdict: 'DENY',
            reason: "the source 'deny'",
            milliseconds: expect.any(Number) as number,
          },
          { source: 'allow', verdict: 'NOT_ASKED' },
        ],
        result: 'DENY',
        reason: "the source 'deny'",
        milliseconds: expect.any(Number) as number,
      },
    ]);
  });

  it("gives the route's default when every source abstains", async () => {
    for (const [value, result] of [
      ['allow', 'ALLOW'],
      ['deny', 'DENY'],
      [undefined, 'DENY'],
    ]) {
      const { router } = await routerOf({
        sources: { ownership: { type: 'ownership' } },
        routes: [{ prefix: 'open', sources: ['ownership'], default: value }],
      });
      expect(await router.decide(query('open'), user)).toEqual({ result });
    }
  });
});

describe('the conditions of a decision', () => {
  /** Decides with sources that each give one condition. */
  async function joined(maxConditionBytes: number, count = 2) {
    const names = Array.from({ length: count }, (_, index) => `owner-${index}`);
    const source = (rule: string): object => ({
      type: 'ownership',
      resources: { 'catalog-entity': { pluginId: 'catalog', rule, param: 'refs' } },
    });
    const { router, traces } = await routerOf({
      maxConditionBytes,
      sources: Object.fromEntries(names.map(name => [name, source(name)])),
      routes: [{ prefix: 'catalog', sources: names }],
    });
    return { decision: await router.decide(onEntity, user), trace: traces[0]! };
  }

  it('are traced with their size; over the limit together they are DENY', async () => {
    const { decision, trace } = await joined(1000);
    const { conditions } = decision as ConditionalPolicyDecision;
    const bytes = Buffer.byteLength(JSON.stringify(conditions));
    expect(trace).toMatchObject({ conditions, conditionSize: { bytes, limit: 1000 } });
    expect((await joined(bytes)).trace.conditionSize).toEqual({ bytes, limit: bytes });
    const over = await joined(bytes - 1);
    const reason = `the sources of 'catalog' together give conditions of ${bytes} bytes, more than maxConditionBytes (${bytes - 1})`;
    expect(over.decision).toEqual({ result: 'DENY' });
    expect(over.trace).toMatchObject({
      reason,
      failure: { class: 'invalid', code: 'CONDITIONS_TOO_LARGE', message: reason },
      sources: [{ verdict: 'CONDITIONAL' }, { verdict: 'CONDITIONAL' }],
    });
    expect(over.trace.conditions ?? over.trace.conditionSize).toBeUndefined();
  });

  it('may be of any number of sources that fits into the bytes', async () => {
    expect((await joined(90_000, 600)).decision.result).toBe('CONDITIONAL');
    expect((await joined(90_000, 900)).trace.reason).toMatch(
      /^the sources of 'catalog' together give conditions of \d+ bytes, more than maxConditionBytes \(90000\)$/,
    );
  });
});
