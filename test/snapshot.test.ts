/** Snapshots carry unchanged sources over, and close the others after the last decision. */
import { readConfig } from '../src/config/read';
import type { ConfigError } from '../src/config/types';
import { ProvidedPolicies } from '../src/hosting/provided-policies';
import { Deadline } from '../src/lib/deadline';
import { Turns } from '../src/lib/turns';
import { PolicyRouter } from '../src/policy';
import { Snapshot } from '../src/snapshot';
import { notApplicable } from '../src/verdict';
import type { LocalKind } from '../src/sources/kind';
import { kindOf } from '../src/sources/kinds';
import { OpaSource } from '../src/sources/opa/source';
import type { LocalSource } from '../src/sources/source';
import { CapturedLogs } from './support/captured-logs';
import { permission, request } from './fixtures/builders';
import { queryOf, USER } from './support/in-process';
import { directoryOf } from './support/rule-directory';
import { configOf, hosted, HOSTED } from './support/read-config';
import { decision, silence, startStub, type StubServer } from './support/stub-server';
import { countTurns } from './support/turns';

const logger = new CapturedLogs().logger();
const query = queryOf('tested');

let stub: StubServer;
beforeEach(async () => {
  stub = await startStub(decision({ result: 'ALLOW' }));
});
afterEach(() => stub.stop());

const build = async (sources: object, previous?: Snapshot): Promise<Snapshot> => {
  const { config } = await readConfig({
    fallback: 'deny',
    deadline: '10m',
    sources,
    routes: [{ prefix: 'tested', sources: Object.keys(sources) }],
  });
  return Snapshot.build(
    config,
    {
      logger,
      ruleDirectory: directoryOf(),
      policies: new ProvidedPolicies(),
      turns: new Turns(),
    },
    previous,
  );
};

const opa = (more: object = {}): object => ({
  type: 'opa',
  baseUrl: stub.url,
  entrypoint: 'a/b',
  timeout: '60s',
  ...more,
});

const routerOf = (snapshot: Snapshot): PolicyRouter =>
  new PolicyRouter(
    snapshot,
    { getUserInfo: () => Promise.reject(new Error('unasked')) },
    new Turns(),
    { of: () => ({ kind: 'unread' }) },
    { add: () => {} },
    { prepare: () => undefined },
  );

const guardOf = (snapshot: Snapshot) =>
  snapshot.table.match(query.permission)!.legs[0]!.chain.links[0].guard;

describe('a changed config', () => {
  it('keeps the guard of a source whose config is the same, in whatever key order', async () => {
    const first = await build({ opa: opa({ concurrency: 3 }) });
    const { type, ...rest } = opa({ concurrency: 3 }) as Record<string, unknown>;
    const second = await build({ opa: { ...rest, type } }, first);
    expect(guardOf(second)).toBe(guardOf(first));
    first.retire();
    second.retire();
  });

  it('keeps it when only the failure mode changes, which the next decision obeys', async () => {
    const first = await build({ opa: opa() });
    const second = await build({ opa: opa({ onUnavailable: 'fail-open' }) }, first);
    expect(guardOf(second)).toBe(guardOf(first));
    const mode = second.table.match(query.permission)!.legs[0]!.chain.terms
      .onUnavailable;
    expect(mode).toBe('fail-open');
    first.retire();
    second.retire();
  });

  it('keeps it when only the standby changes, which the next decision asks', async () => {
    const first = await build({ opa: opa(), own: { type: 'ownership' } });
    const second = await build(
      { opa: opa({ standby: 'own' }), own: { type: 'ownership' } },
      first,
    );
    expect(guardOf(second)).toBe(guardOf(first));
    const { links } = second.table.match(query.permission)!.legs[0]!.chain;
    expect(links.map(({ source, standby }) => [source, standby])).toEqual([
      ['opa', false],
      ['own', true],
    ]);
    first.retire();
    second.retire();
  });

  it('makes a new guard for a changed source', async () => {
    const first = await build({ opa: opa() });
    const second = await build({ opa: opa({ concurrency: 3 }) }, first);
    expect(guardOf(second)).not.toBe(guardOf(first));
    first.retire();
    second.retire();
  });

  it('fails no decision under way, and closes the old source only after it', async () => {
    stub.become(silence);
    const first = await build({ opa: opa() });
    const router = routerOf(first);
    let arrived: () => void = () => {};
    const arrival = new Promise<void>(resolve => (arrived = resolve));
    let release: () => void = () => {};
    stub.become((socket, request) => {
      release = () => decision({ result: 'ALLOW' })(socket, request);
      arrived();
    });
    const underWay = router.handle(query, USER);
    await arrival;
    router.swap(await build({ own: { type: 'ownership' } }, first));
    expect(stub.open()).toBe(1);
    release();
    expect(await underWay).toEqual({ result: 'ALLOW' });
    await stub.untilOpen(0);
    expect(await router.handle(query, USER)).toEqual({ result: 'DENY' });
    router.close();
  });

  it('leaves a decision the sources it has yet to ask', async () => {
    const first = await build({ opa: opa(), later: opa({ concurrency: 2 }) });
    const router = routerOf(first);
    let release: () => void = () => {};
    const arrived = new Promise<void>(resolve => {
      stub.become((socket, request) => {
        release = () => decision({ result: 'NOT_APPLICABLE' })(socket, request);
        resolve();
      });
    });
    const underWay = router.handle(query, USER);
    await arrived;
    router.swap(await build({ own: { type: 'ownership' } }, first));
    stub.become(decision({ result: 'ALLOW' }));
    release();
    expect(await underWay).toEqual({ result: 'ALLOW' });
    await stub.untilOpen(0);
    router.close();
  });

  it('that cannot be built leaves the old one in use and nothing open', async () => {
    const first = await build({ opa: opa() });
    await expect(
      build(
        {
          opa: opa(),
          embedded: {
            type: 'opa-wasm',
            bundle: 'no-such-bundle.tar.gz',
            entrypoint: 'a/b',
          },
        },
        first,
      ),
    ).rejects.toMatchObject({
      name: 'PolicyRouterConfigError',
      problems: [
        {
          path: 'permission.policyRouter.sources.embedded',
          message: expect.stringMatching(/^the bundle '.*no-such-bundle/) as unknown,
        },
      ],
    });
    expect(await routerOf(first).handle(query, USER)).toEqual({ result: 'ALLOW' });
    first.retire();
  });

  it('that cannot be built closes the sources that were made for it, and no other', async () => {
    const first = await build({ opa: opa() });
    const close = jest.spyOn(OpaSource.prototype, 'close');
    const bundle = 'no-such-bundle.tar.gz';
    const embedded = { type: 'opa-wasm', bundle, entrypoint: 'a/b' };
    await expect(build({ opa: opa(), more: opa(), embedded }, first)).rejects.toThrow();
    expect(close).toHaveBeenCalledTimes(1);
    close.mockRestore();
    first.retire();
  });
});

describe('the sources of a config', () => {
  const embedded = (bundle: string): object => ({
    type: 'opa-wasm',
    bundle,
    entrypoint: 'a/b',
  });
  const close = jest.fn(async () => {});
  const source: LocalSource = { ask: () => notApplicable('none'), close };

  /** Builds embedded sources in this way in place of reading their bundles. */
  const buildBy = (build: (bundle: string) => Promise<LocalSource>): void => {
    jest
      .spyOn(kindOf('opa-wasm') as LocalKind<{ bundle: string }>, 'build')
      .mockImplementation(({ bundle }) => build(bundle));
  };
  const many = (count: number): object =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`e${index}`, embedded(`${index}`)]),
    );
  beforeEach(() => close.mockClear());
  afterEach(() => jest.restoreAllMocks());

  it('are set up several at once, at most 16', async () => {
    let underWay = 0;
    let most = 0;
    buildBy(async () => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return source;
    });
    const snapshot = await build(many(100));
    expect(most).toBe(16);
    const { legs } = snapshot.table.match(query.permission)!;
    expect(legs.map(({ name }) => name)).toEqual(Object.keys(many(100)));
    snapshot.retire();
    expect(close).toHaveBeenCalledTimes(100);
  });

  it('that fail are all reported, in the order of the config, and the others close', async () => {
    const failed: string[] = [];
    let release: () => void = () => {};
    const others = new Promise<void>(resolve => (release = resolve));
    buildBy(async bundle => {
      if (bundle === '1') await others;
      if (bundle !== '1' && bundle !== '3') return source;
      failed.push(bundle);
      release();
      throw new Error(`cannot be read: ${bundle}`);
    });
    const error: unknown = await build(many(5)).catch((reason: unknown) => reason);
    expect(failed).toEqual(['3', '1']);
    expect((error as ConfigError).problems).toMatchObject([
      { path: 'permission.policyRouter.sources.e1', message: 'cannot be read: 1' },
      { path: 'permission.policyRouter.sources.e3', message: 'cannot be read: 3' },
    ]);
    expect(close).toHaveBeenCalledTimes(3);
  });

  it('that are carried over stay open if others fail', async () => {
    buildBy(async () => source);
    const first = await build(many(3));
    buildBy(() => Promise.reject(new Error('gone')));
    await expect(build({ ...many(3), more: embedded('more') }, first)).rejects.toThrow(
      'permission.policyRouter.sources.more: gone',
    );
    expect(close).toHaveBeenCalledTimes(0);
    first.retire();
    expect(close).toHaveBeenCalledTimes(3);
  });

  it('that are carried over stay open if the old snapshot ends first', async () => {
    buildBy(async () => source);
    const first = await build(many(1));
    let release: () => void = () => {};
    const begun = new Promise<void>(begin =>
      buildBy(async () => {
        await new Promise<void>(resolve => {
          release = resolve;
          begin();
        });
        return source;
      }),
    );
    const building = build({ ...many(1), more: embedded('more') }, first);
    await begun;
    first.retire();
    release();
    const second = await building;
    expect(close).toHaveBeenCalledTimes(0);
    second.retire();
    expect(close).toHaveBeenCalledTimes(2);
  });

  it('are asked through one chain by the routes that ask them in the same way', async () => {
    const { config } = await readConfig({
      fallback: 'deny',
      sources: { opa: opa({ timeout: '1s' }) },
      routes: [
        { prefix: 'a', sources: ['opa'] },
        { prefix: 'b', sources: ['opa'] },
        { prefix: 'c', sources: ['opa'], onUnavailable: 'fail-open' },
      ],
    });
    const services = {
      logger,
      ruleDirectory: directoryOf(),
      policies: new ProvidedPolicies(),
      turns: new Turns(),
    };
    const snapshot = await Snapshot.build(config, services);
    const chainOf = (name: string) =>
      snapshot.table.match(permission(name))!.legs[0]!.chain;
    expect(chainOf('b')).toBe(chainOf('a'));
    expect(chainOf('c').terms.onUnavailable).toBe('fail-open');
    expect(chainOf('a').terms.onUnavailable).toBe('fail-closed');
    snapshot.retire();
  });
});

it('a large table is built while others run', async () => {
  const routes = Array.from({ length: 2000 }, (_, index) => ({
    prefix: `p${index}`,
    sources: ['deny'],
  }));
  const { config } = await readConfig({ fallback: 'deny', routes });
  const services = {
    logger,
    ruleDirectory: directoryOf(),
    policies: new ProvidedPolicies(),
    turns: new Turns(),
  };
  // Every item of work takes a millisecond, as seen by the clock.
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now++);
  const turns = countTurns();
  const snapshot = await Snapshot.build(config, services);
  expect(turns.stop()).toBeGreaterThan(100);
  jest.restoreAllMocks();
  snapshot.retire();
});

describe('a closed router', () => {
  it('denies what its sources would decide, even under fail-open', async () => {
    const router = routerOf(await build({ opa: opa({ onUnavailable: 'fail-open' }) }));
    expect(await router.handle(query, USER)).toEqual({ result: 'ALLOW' });
    stub.become(decision({ result: 'DENY' }));
    router.close();
    expect(await router.handle(query, USER)).toEqual({ result: 'DENY' });
    await stub.untilOpen(0);
  });

  it('closes the sources of a reload that comes later', async () => {
    const first = await build({ opa: opa() });
    const router = routerOf(first);
    router.close();
    router.swap(await build({ opa: opa({ concurrency: 3 }) }, first));
    expect(await router.handle(query, USER)).toEqual({ result: 'DENY' });
    expect(stub.requests()).toBe(0);
  });
});

it('keeps the guard of an unchanged source, and the policy of a changed one', async () => {
  const provided = hosted('team');
  const logger = new CapturedLogs().logger();
  const services = {
    logger,
    ruleDirectory: directoryOf(),
    policies: provided,
    turns: new Turns(),
  };
  const build = async (source: object, previous?: Snapshot): Promise<Snapshot> =>
    Snapshot.build(
      (await readConfig(configOf({ team: source }), undefined, provided)).config,
      services,
      previous,
    );
  const asked = permission('team.read');
  const guardOf = ({ table: routes }: Snapshot) =>
    routes.match(asked)!.legs[0]!.chain.links[0].guard;
  const first = await build(HOSTED);
  const second = await build({ ...HOSTED, onUnavailable: 'fail-open' }, first);
  expect(guardOf(second)).toBe(guardOf(first));
  const third = await build({ ...HOSTED, timeout: '500ms' }, second);
  expect(guardOf(third)).not.toBe(guardOf(second));
  for (const snapshot of [second, third]) {
    const guard = guardOf(snapshot);
    const answer = await guard.ask(request(asked), new Deadline(60_000), said => said);
    expect(answer).toEqual({ kind: 'DENY', reason: 'the policy says DENY' });
  }
  for (const snapshot of [first, second, third]) snapshot.retire();
});
