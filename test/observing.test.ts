/** Under observe the answering source's answer is given, and the decision is only recorded. */
import type {
  PermissionPolicy,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { ProvidedPolicies } from '../src/hosting/provided-policies';
import { RECORDED_AT_ONCE } from '../src/recordings';
import type { DecisionRecord } from '../src/trace/record';
import { permission } from './fixtures/builders';
import { CapturedLogs } from './support/captured-logs';
import { pass, resumeClock, stopClock } from './support/clock';
import { conditional, leaf } from './support/hosted-policy';
import { assumeIdleLoop } from './support/idle-loop';
import { startRouter, type TestRouter } from './support/router';

assumeIdleLoop();

type Handle = (...asked: Parameters<PermissionPolicy['handle']>) => unknown;

const UNTIL = '2999-01-31';
const OBSERVE = { answer: 'team', until: UNTIL };

const olivia = {
  credentials: { principal: { type: 'user' } },
  info: {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia'],
  },
} as unknown as PolicyQueryUser;

const userWith = (userEntityRef: string): unknown => ({
  ...olivia,
  info: { userEntityRef, ownershipEntityRefs: [] },
});

const onEntity = permission('catalog.entity.delete', {
  action: 'delete',
  resourceType: 'catalog-entity',
});

const says =
  (result: string): Handle =>
  () => ({ result });
const never: Handle = () => new Promise(() => {});

let router: TestRouter | undefined;
afterEach(() => {
  router?.close();
  router = undefined;
  resumeClock();
});

interface Observed {
  readonly router: TestRouter;
  readonly logs: CapturedLogs;
  /** The next record that is delivered. */
  readonly recorded: () => Promise<Readonly<DecisionRecord>>;
}

/** The route `catalog` asks `own`, and `team` answers. */
async function observing(
  { team, own }: { team?: Handle; own?: Handle },
  config: object = {},
  route: object = {},
): Promise<Observed> {
  const policies = new ProvidedPolicies();
  const asPolicy = (handle: Handle): PermissionPolicy => ({
    handle: async (...asked) => (await handle(...asked)) as never,
  });
  policies.addSource('team', asPolicy(team ?? says('ALLOW')));
  policies.addSource('own', asPolicy(own ?? says('DENY')));
  const logs = new CapturedLogs();
  const records: Array<Readonly<DecisionRecord>> = [];
  let wake = (): void => {};
  router = await startRouter(
    {
      fallback: 'deny',
      deadline: '5m',
      verifyConditions: false,
      observe: OBSERVE,
      sources: {
        team: { type: 'hosted', timeout: '30s' },
        own: { type: 'hosted', timeout: '30s' },
      },
      routes: [{ prefix: 'catalog', sources: ['own'], ...route }],
      ...config,
    },
    {
      policies,
      logger: logs.logger(),
      sinks: [
        record => {
          records.push(record);
          wake();
        },
      ],
    },
  );
  return {
    router,
    logs,
    recorded: async () => {
      while (records.length === 0) await new Promise<void>(resolve => (wake = resolve));
      return records.shift()!;
    },
  };
}

const decide = (permitted = onEntity, user: PolicyQueryUser | undefined = olivia) =>
  router!.undelayed.handle({ permission: permitted }, user);

describe('an observed decision', () => {
  it('gives the answer of the answering source, and records its own', async () => {
    const { recorded } = await observing({ team: says('ALLOW'), own: says('DENY') });
    expect(await decide()).toEqual({ result: 'ALLOW' });
    expect(await recorded()).toMatchObject({
      route: "'catalog'",
      result: 'DENY',
      sources: [{ source: 'own', verdict: 'DENY' }],
      observed: {
        answer: 'team',
        until: Date.parse(UNTIL),
        result: 'ALLOW',
        source: { source: 'team', verdict: 'ALLOW' },
      },
    });
  });

  it('leaves most slots and all of the queue of a source to those that are enforced', async () => {
    let asked = 0;
    let answer = (): void => {};
    const answered = new Promise<void>(resolve => (answer = resolve));
    const { recorded } = await observing({
      own: async () => {
        asked++;
        await answered;
        return { result: 'DENY' };
      },
    });
    const given = await Promise.all(Array.from({ length: 200 }, () => decide()));
    expect(new Set(given.map(({ result }) => result))).toEqual(new Set(['ALLOW']));
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(asked).toBe(RECORDED_AT_ONCE);
    answer();
    for (let count = 0; count < 200; count++)
      expect(await recorded()).toMatchObject({ result: 'DENY', failure: undefined });
    expect(asked).toBe(200);
  });

  it('gives conditions, which are checked as those of any source', async () => {
    const { recorded } = await observing({ team: () => conditional(leaf) });
    expect(await decide()).toMatchObject({
      result: 'CONDITIONAL',
      pluginId: 'catalog',
      conditions: leaf,
    });
    expect((await recorded()).observed).toMatchObject({
      result: 'CONDITIONAL',
      pluginId: 'catalog',
      conditions: leaf,
    });
  });

  it('is DENY if these conditions are of another resource type', async () => {
    const { recorded } = await observing({
      team: () => conditional({ ...leaf, resourceType: 'other' }),
      own: says('ALLOW'),
    });
    expect(await decide()).toEqual({ result: 'DENY' });
    expect((await recorded()).observed).toMatchObject({
      source: { failure: { class: 'invalid' } },
    });
  });

  it.each<[what: string, team: Handle]>([
    ['throws', () => Promise.reject(new Error('broken'))],
    ['answers nonsense', says('MAYBE')],
    ['abstains', says('NOT_APPLICABLE')],
  ])('is DENY if the answering source %s', async (_what, team) => {
    const { recorded } = await observing({ team, own: says('ALLOW') });
    expect(await decide()).toEqual({ result: 'DENY' });
    expect(await recorded()).toMatchObject({
      result: 'ALLOW',
      observed: { result: 'DENY' },
    });
  });

  it('is DENY if the answering source hangs, even if it is fail-open', async () => {
    const { recorded } = await observing(
      { team: never, own: says('ALLOW') },
      { onUnavailable: 'fail-open' },
    );
    stopClock();
    const given = decide();
    await pass(30_000);
    expect(await given).toEqual({ result: 'DENY' });
    expect(await recorded()).toMatchObject({
      result: 'ALLOW',
      observed: {
        result: 'DENY',
        source: { verdict: 'DENY', failure: { code: 'TIMEOUT' } },
      },
    });
  });

  it('asks both at the same time', async () => {
    let isAsked = (): void => {};
    const asked = new Promise<void>(resolve => (isAsked = resolve));
    const { recorded } = await observing({
      // It would wait for good if the route's sources were asked after it.
      team: () => asked.then(() => ({ result: 'ALLOW' })),
      own: () => {
        isAsked();
        return { result: 'DENY' };
      },
    });
    expect(await decide()).toEqual({ result: 'ALLOW' });
    await recorded();
  });

  it('does not wait for a source that hangs, whose decision is recorded after its timeout', async () => {
    const { recorded } = await observing({ own: never });
    stopClock();
    // No time passes until it has answered.
    expect(await decide()).toEqual({ result: 'ALLOW' });
    const record = recorded();
    await pass(30_000);
    expect(await record).toMatchObject({
      result: 'DENY',
      sources: [{ source: 'own', failure: { code: 'TIMEOUT' } }],
      observed: { result: 'ALLOW' },
    });
  });

  it('keeps its sources open until it is recorded, even through a reload', async () => {
    let answer = (_result: unknown): void => {};
    let asked = (): void => {};
    const isAsked = new Promise<void>(resolve => (asked = resolve));
    const config = (concurrency: number): object => ({
      fallback: 'deny',
      deadline: '5m',
      observe: { answer: 'allow', until: UNTIL },
      sources: {
        own: { type: 'hosted', timeout: '30s' },
        // Another one after the reload, and asked only then.
        team: { type: 'hosted', timeout: '30s', concurrency },
      },
    });
    const { recorded } = await observing(
      {
        own: () =>
          new Promise(resolve => {
            answer = resolve;
            asked();
          }),
        team: says('ALLOW'),
      },
      config(2),
      { sources: ['own', 'team'] },
    );
    expect(await decide()).toEqual({ result: 'ALLOW' });
    await router!.reload({
      ...config(3),
      routes: [{ prefix: 'catalog', sources: ['own', 'team'] }],
    });
    await isAsked;
    answer({ result: 'ALLOW' });
    expect(await recorded()).toMatchObject({
      result: 'ALLOW',
      sources: [{ source: 'own' }, { source: 'team', verdict: 'ALLOW' }],
    });
  });

  it('of the fallback is given by the source too', async () => {
    const { recorded } = await observing({});
    const asked = permission('unheard.of');
    expect(await decide(asked)).toEqual({ result: 'ALLOW' });
    expect(await recorded()).toMatchObject({
      route: 'fallback',
      result: 'DENY',
      observed: { answer: 'team', result: 'ALLOW' },
    });
  });

  it('may have the built-in allow as its answer', async () => {
    const { recorded } = await observing(
      {},
      { observe: { answer: 'allow', until: UNTIL } },
    );
    expect(await decide()).toEqual({ result: 'ALLOW' });
    expect((await recorded()).observed).toMatchObject({ answer: 'allow' });
  });

  it('records a bug in the router as one, and nobody learns of it', async () => {
    const { recorded } = await observing({ own: says('ALLOW') });
    const { table } = (
      router!.undelayed as unknown as {
        snapshot: { table: { match(asked: unknown): { legs: unknown[] } } };
      }
    ).snapshot;
    const { legs } = table.match(onEntity);
    legs.splice(0, 1, {
      get chain() {
        throw new Error('a bug');
      },
    });
    expect(await decide()).toEqual({ result: 'ALLOW' });
    expect(await recorded()).toMatchObject({
      result: 'DENY',
      failure: { code: 'INTERNAL' },
      observed: { result: 'ALLOW' },
    });
  });

  it('is DENY if there is a bug in asking the answering source', async () => {
    const { recorded } = await observing({ own: says('ALLOW') });
    const { table } = (
      router!.undelayed as unknown as {
        snapshot: {
          table: {
            match(asked: unknown): { answering: { route: { legs: unknown[] } } };
          };
        };
      }
    ).snapshot;
    table.match(onEntity).answering.route.legs.splice(0, 1, {
      get chain() {
        throw new Error('a bug');
      },
    });
    expect(await decide()).toEqual({ result: 'DENY' });
    expect(await recorded()).toMatchObject({
      result: 'ALLOW',
      observed: { result: 'DENY', failure: { code: 'INTERNAL' }, source: undefined },
    });
  });
});

describe('what is enforced in spite of observe', () => {
  it.each<[what: string, config: object, user: unknown, asked: unknown]>([
    ['a request without a user', {}, undefined, onEntity],
    ['the same, evaluated', { anonymous: 'evaluate' }, undefined, onEntity],
    ['a request that cannot be read', {}, olivia, { name: 'catalog' }],
    ['a user without an identity', {}, { credentials: {}, info: {} }, onEntity],
    ['a user whose ref is empty', {}, userWith(''), onEntity],
    ['a user whose ref is blank', {}, userWith(' '), onEntity],
  ])('%s', async (_what, config, user, asked) => {
    const { recorded } = await observing({}, config);
    const decision = await router!.undelayed.handle(
      { permission: asked } as never,
      user as never,
    );
    expect(decision).toEqual({ result: 'DENY' });
    expect((await recorded()).observed).toBeUndefined();
  });

  it('a route that says so', async () => {
    const { recorded } = await observing({}, {}, { observe: false });
    expect(await decide()).toEqual({ result: 'DENY' });
    expect((await recorded()).observed).toBeUndefined();
  });

  it('everything, from the end on', async () => {
    const { recorded } = await observing(
      {},
      { observe: { answer: 'team', until: '2027-01-31T09:00:00+01:00' } },
    );
    stopClock();
    jest.setSystemTime(Date.parse('2027-01-31T07:59:59.999Z'));
    expect(await decide()).toEqual({ result: 'ALLOW' });
    await recorded();
    jest.setSystemTime(Date.parse('2027-01-31T08:00:00Z'));
    expect(await decide()).toEqual({ result: 'DENY' });
    expect((await recorded()).observed).toBeUndefined();
  });
});

it('the observe of a route takes precedence over that of the router', async () => {
  const { recorded } = await observing(
    {},
    { observe: { answer: 'deny', until: UNTIL } },
    { observe: { answer: 'team', until: UNTIL } },
  );
  expect(await decide()).toEqual({ result: 'ALLOW' });
  expect((await recorded()).observed).toMatchObject({ answer: 'team' });
});

describe('an explanation of an observed decision', () => {
  const principal = {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia'],
  };

  it('has both, and waits for both', async () => {
    await observing({ team: says('ALLOW'), own: says('DENY') });
    expect(await router!.explain(onEntity, principal, olivia)).toMatchObject({
      result: 'DENY',
      observed: { answer: 'team', result: 'ALLOW' },
    });
  });

  it('of somebody else is uncertain if the answering source cannot be asked', async () => {
    await observing({}, {}, { sources: ['deny'] });
    expect(await router!.explain(onEntity, principal)).toMatchObject({
      result: 'DENY',
      cannotAsk: undefined,
      observed: { cannotAsk: ['team'] },
    });
  });
});

describe('conditions of the answering source, asked without a resource', () => {
  const byName = permission('catalog.entity.delete');

  it.each([
    ['deny', 'DENY'],
    ['allow', 'ALLOW'],
  ])('become what whenAskedWithoutResource: %s says', async (setting, result) => {
    const policies = new ProvidedPolicies();
    for (const name of ['team', 'own'])
      policies.addSource(name, {
        handle: async () =>
          (name === 'team' ? conditional(leaf) : { result: 'DENY' }) as never,
      });
    const body = { permissions: [onEntity], rules: [] };
    const records: Array<Readonly<DecisionRecord>> = [];
    router = await startRouter(
      {
        fallback: 'deny',
        verifyConditions: false,
        whenAskedWithoutResource: setting,
        observe: OBSERVE,
        sources: { team: { type: 'hosted' }, own: { type: 'hosted' } },
        routes: [{ prefix: 'catalog', sources: ['own'] }],
      },
      {
        policies,
        sinks: [record => records.push(record)],
        plugins: {
          installed: () => Promise.resolve(['catalog']),
          read: () => Promise.resolve({ kind: 'published', body }),
        } as never,
      },
    );
    do {
      await decide(byName);
      await new Promise(resolve => setImmediate(resolve));
    } while (records.at(-1)?.declared !== 'completed');
    expect(await decide(byName)).toEqual({ result });
    expect(records.at(-1)).toMatchObject({
      result: 'DENY',
      withoutResource: undefined,
      observed: { result, withoutResource: true },
    });
  });
});
