/**
 * The user's identity provider token reaches a hosted policy through AsyncLocalStorage: always
 * the caller's own, no matter how many ask at once, wait for each other or fail.
 */
import { EventEmitter, once } from 'node:events';
import {
  coreServices,
  createBackendModule,
  createServiceFactory,
  type CacheService,
} from '@backstage/backend-plugin-api';
import { policySourceExtensionPoint } from '../../src/index';
import { OPENCHOREO_TOKEN_HEADER } from '../fixtures/openchoreo/names';
import {
  getUserTokenFromContext,
  openChoreoTokenServiceRef,
} from '../fixtures/openchoreo/token';
import { basic, type Question, type RunningBackend } from '../support/backend';
import { pass, resumeClock, stopClock } from '../support/clock';
import { startOpa, type OpaServer } from '../support/opa-server';
import {
  authorizeAs,
  callRoute,
  idpTokenOf,
  refOf,
  signInAnybody,
  startOpenChoreoBackend,
  type Member,
} from '../support/openchoreo';
import {
  startProfileApi,
  withBody,
  withReset,
  withStatus,
  type ProfileApi,
} from '../support/profile-api';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const USERS = 40;
const ROUNDS = 3;

/** Each user may do a different selection of these, so that no two users get the same decisions. */
const ACTIONS: ReadonlyArray<readonly [string, string]> = [
  ['openchoreo.component.create', 'component:create'],
  ['openchoreo.project.create', 'project:create'],
  ['openchoreo.namespace.create', 'namespace:create'],
  ['openchoreo.environment.create', 'environment:create'],
  ['openchoreo.role.view', 'authzrole:view'],
  ['openchoreo.logs.view', 'logs:view'],
];
const QUESTIONS = ACTIONS.map(([name]) => basic(name, 'create'));

const may = (selection: number, index: number): boolean =>
  (selection & (1 << index)) !== 0;

const decisionsOf = (selection: number): string[] =>
  ACTIONS.map((_, index) => (may(selection, index) ? 'ALLOW' : 'DENY'));

const capabilitiesOf = (selection: number) =>
  Object.fromEntries(
    ACTIONS.filter((_, index) => may(selection, index)).map(([, action]) => [
      action,
      { allowed: [{ path: '*' }] },
    ]),
  );

interface Someone extends Member {
  /** From 1 to 63: a bit per action, set where the user may do it. */
  readonly selection: number;
}

/** A source before OpenChoreo that abstains and records the user and token of each question. */
class Gatekeeper {
  readonly seen: Array<{ user: string | undefined; token: string | undefined }> = [];
  private readonly events = new EventEmitter().setMaxListeners(0);

  readonly module = createBackendModule({
    pluginId: 'permission',
    moduleId: 'gatekeeper',
    register: registration =>
      registration.registerInit({
        deps: { sources: policySourceExtensionPoint },
        init: async ({ sources }) =>
          sources.addSource('gatekeeper', {
            handle: async (_request, user) => {
              this.seen.push({
                user: user?.info.userEntityRef,
                token: getUserTokenFromContext(),
              });
              this.events.emit('seen');
              return { result: 'NOT_APPLICABLE' };
            },
          }),
      }),
  });

  /** Waits until this many questions were seen; the next source is then asked about them. */
  async until(count: number): Promise<void> {
    while (this.seen.length < count) await once(this.events, 'seen');
    await new Promise(resolve => setImmediate(resolve));
  }
}

/** A cache that can be made to forget, so that each decision asks the API. */
class SwitchedCache implements CacheService {
  keeps = false;
  private readonly kept = new Map<string, unknown>();

  async get<T>(key: string): Promise<T | undefined> {
    return this.kept.get(key) as T | undefined;
  }

  async set(key: string, value: unknown): Promise<void> {
    if (this.keeps) this.kept.set(key, structuredClone(value));
  }

  async delete(key: string): Promise<void> {
    this.kept.delete(key);
  }

  withOptions(): CacheService {
    return this;
  }

  clear(): void {
    this.kept.clear();
  }
}

/** The header that the replaced token service reads. */
const OTHER_HEADER = 'x-token-of-ours';

let api: ProfileApi;
let backend: RunningBackend;
let users: readonly Someone[];
const gatekeeper = new Gatekeeper();
const cache = new SwitchedCache();

const settings = (openchoreo: object, more: object = {}): object => ({
  fallback: 'deny',
  deadline: '120s',
  sources: {
    gatekeeper: { type: 'hosted', concurrency: 1000 },
    openchoreo: { type: 'hosted', timeout: '60s', queue: 1000, ...openchoreo },
    ...more,
  },
  routes: [{ prefix: 'openchoreo', sources: ['gatekeeper', 'openchoreo'] }],
});

async function use(policyRouter: object): Promise<void> {
  const since = backend.logs.lines.length;
  await backend.writeConfig(policyRouter);
  await backend.logs.waitFor('The changed config is in use', since);
}

/** A new user whom the API knows by a token of their own. */
async function someone(name: string, selection: number): Promise<Someone> {
  const member = await signInAnybody(backend.url, name);
  api.grant(member.idpToken, capabilitiesOf(selection));
  return { ...member, selection };
}

const everybody = <T>(ask: (user: Someone) => Promise<T>): Promise<T[]> =>
  Promise.all(users.map(ask));

const askAll = (user: Someone) => authorizeAs(backend, user, ...QUESTIONS);

const ownDecisions = () =>
  users.map(({ selection }) => ({ status: 200, results: decisionsOf(selection) }));

/** OpenChoreo's verdicts and failures in the decisions for a user, from the traces. */
const saidOf = ({ name }: Member) =>
  backend.traces
    .filter(({ user }) => user === refOf(name))
    .map(({ sources }) => {
      const { verdict, failure } = sources.at(-1)!;
      return failure?.code ?? verdict;
    });

beforeAll(async () => {
  api = await startProfileApi();
  backend = await startOpenChoreoBackend({
    openchoreo: { baseUrl: api.url },
    policyRouter: settings({}),
    features: [
      gatekeeper.module,
      createServiceFactory({
        service: coreServices.cache,
        deps: {},
        factory: () => cache,
      }),
      createServiceFactory({
        service: openChoreoTokenServiceRef,
        deps: {},
        factory: () => ({
          getUserToken: ({ headers }) => headers[OTHER_HEADER] as string | undefined,
        }),
      }),
    ],
  });
  users = await Promise.all(
    Array.from({ length: USERS }, (_, index) => someone(`user-${index}`, index + 1)),
  );
});

afterAll(async () => {
  await backend?.stop();
  await api?.stop();
});

beforeEach(() => {
  api.forget();
  cache.clear();
  cache.keeps = false;
  gatekeeper.seen.length = 0;
  backend.traces.length = 0;
});

// A failed test may have left requests on hold.
afterEach(() => {
  resumeClock();
  api.letGo();
});

describe.each([1, 4])(
  'a hosted policy asked by many users, %i at a time',
  concurrency => {
    beforeAll(() => use(settings({ concurrency })));

    it.each([
      ['asking the API each time', false],
      ['with a cache that fills up meanwhile', true],
    ])("decides by each user's own token, %s", async (_how, keeps) => {
      cache.keeps = keeps;
      for (let round = 1; round <= ROUNDS; round++) {
        gatekeeper.seen.length = 0;
        api.forget();
        const release = api.hold();
        const asked = everybody(askAll);
        // All wait until the first is answered, so every other one runs when someone else's call ends.
        await gatekeeper.until(USERS * QUESTIONS.length);
        release();
        expect(await asked).toEqual(ownDecisions());
        const tokens = users.map(({ idpToken }) => idpToken);
        if (!keeps) {
          expect([...api.tokens].sort()).toEqual(
            tokens.flatMap(token => QUESTIONS.map(() => token)).sort(),
          );
        } else if (round > 1) {
          expect(api.tokens).toEqual([]);
        }
        expect(api.mostUnderWay()).toBeLessThanOrEqual(concurrency);
        expect(pairs()).toEqual(pairsOfUsers());
      }
    });

    it('decides by the token of the call if one user has two', async () => {
      const first = await someone('twofold', 0b101010);
      const second = {
        ...first,
        idpToken: idpTokenOf(first.name),
        selection: 0b010101,
      };
      api.grant(second.idpToken, capabilitiesOf(second.selection));
      const release = api.hold();
      const asked = Promise.all([first, second, first, second].map(askAll));
      await gatekeeper.until(4 * QUESTIONS.length);
      release();
      expect((await asked).map(({ results }) => results)).toEqual(
        [first, second, first, second].map(({ selection }) => decisionsOf(selection)),
      );
    });

    it('uses no token if the user has none', async () => {
      const bare = { ...users[22]!, idpToken: '' };
      const release = api.hold();
      const asked = Promise.all([askAll(users[0]!), askAll(bare), askAll(users[1]!)]);
      await gatekeeper.until(3 * QUESTIONS.length);
      release();
      const [before, nobody, after] = await asked;
      expect(before.results).toEqual(decisionsOf(users[0]!.selection));
      expect(nobody.results).toEqual(QUESTIONS.map(() => 'DENY'));
      expect(after.results).toEqual(decisionsOf(users[1]!.selection));
    });
  },
);

/** User and token of each question, as the gatekeeper saw them. */
const pairs = (): string[] =>
  gatekeeper.seen.map(({ user, token }) => `${user} ${token}`).sort();

const pairsOfUsers = (): string[] =>
  users
    .flatMap(user => QUESTIONS.map(() => `${refOf(user.name)} ${user.idpToken}`))
    .sort();

describe('while some calls hang and some fail, a hosted policy', () => {
  const allowed: Question = QUESTIONS[0]!;

  it('decides for the other users by their own token', async () => {
    await use(settings({ concurrency: 4, timeout: '50s' }));
    stopClock();
    const [hanging, failing, healthy] = [
      users.slice(0, 2),
      users.slice(2, 8),
      users.slice(8),
    ];
    const releases = new Map(
      hanging.map(({ name, idpToken }) => [name, api.hold(idpToken)]),
    );
    const failures = [withReset, withStatus(500), withBody('<html>')];
    for (const [index, { idpToken }] of failing.entries()) {
      api.answer(failures[index % failures.length]!, idpToken);
    }
    const ask = async (user: Someone) => {
      const { results } = await authorizeAs(backend, user, allowed);
      // The API answers a hung call once its decision is made: too late.
      releases.get(user.name)?.();
      return results;
    };
    // These get their slots before the others ask, so they spend no time in the queue.
    const hung = hanging.map(ask);
    while (api.tokens.length < hanging.length) await api.nextRequest();
    const others = await Promise.all([...failing, ...healthy].map(ask));
    await pass(50_000);
    const answers = [...(await Promise.all(hung)), ...others];
    const own = healthy.map(({ selection }) => decisionsOf(selection).slice(0, 1));
    expect(answers.slice(hanging.length + failing.length)).toEqual(own);
    expect(own.flat()).toContain('ALLOW');
    expect(answers.slice(0, hanging.length + failing.length)).toEqual(
      [...hanging, ...failing].map(() => ['DENY']),
    );
    expect(hanging.map(saidOf)).toEqual(hanging.map(() => ['TIMEOUT']));
    // The policy turns errors into DENY itself; to the router that is not a failure.
    expect(failing.map(saidOf)).toEqual(failing.map(() => ['DENY']));
  });

  it("uses the next caller's own token once a hung call has freed its slot", async () => {
    await use(
      settings({
        concurrency: 1,
        circuitBreaker: { volumeThreshold: 100 },
      }),
    );
    const hung = await someone('hung', 0b111111);
    const waiting = await someone('waiting', 0b000010);
    const next = await someone('next', 0b000010);
    const release = api.hold(hung.idpToken);
    stopClock();
    const asking = authorizeAs(backend, hung, allowed);
    while (api.tokens.length < 1) await api.nextRequest();
    await pass(60_000);
    expect((await asking).results).toEqual(['DENY']);
    expect(saidOf(hung)).toEqual(['TIMEOUT']);
    // The only slot is still taken: nothing is asked, and nobody gets the hung user's permissions.
    expect((await authorizeAs(backend, waiting, allowed)).results).toEqual(['DENY']);
    expect(saidOf(waiting)).toEqual(['HUNG']);
    expect(api.tokens).toEqual([hung.idpToken]);

    release();
    let results: readonly string[] = [];
    await until(async () => {
      ({ results } = await authorizeAs(backend, next, ...QUESTIONS));
      return results.includes('ALLOW');
    }, 'the slot was free again');
    expect(results).toEqual(decisionsOf(next.selection));
    expect(api.tokens.slice(1).every(token => token === next.idpToken)).toBe(true);
    // The late answer to the hung call changed nothing.
    expect(saidOf(hung)).toEqual(['TIMEOUT']);
  });
});

describeWithOpa('a hosted policy that is the standby of an OPA', () => {
  let opa: OpaServer;
  const withStandby = () =>
    settings(
      { concurrency: 4 },
      {
        opa: {
          type: 'opa',
          baseUrl: opa.url,
          entrypoint: 'backstage_policy/decision',
          timeout: '30s',
          circuitBreaker: { volumeThreshold: 1_000_000 },
          standby: 'openchoreo',
        },
      },
    );

  beforeAll(async () => {
    opa = await startOpa({ binary: requireOpa(), policies: ['config/policies'] });
    await use({
      ...withStandby(),
      routes: [{ prefix: 'openchoreo', sources: ['gatekeeper', 'opa'] }],
    });
  });
  afterAll(() => opa?.stop());

  it('is not asked while OPA is available', async () => {
    await everybody(askAll);
    expect(api.tokens).toEqual([]);
  });

  it('decides by the token of each call, even if the calls shared one question to a frozen OPA', async () => {
    const first = await someone('sharing', 0b101010);
    const second = { ...first, idpToken: idpTokenOf(first.name), selection: 0b010101 };
    api.grant(second.idpToken, capabilitiesOf(second.selection));
    opa.kill('SIGSTOP');
    stopClock();
    const asking = Promise.all([askAll(first), askAll(second)]);
    await gatekeeper.until(2 * QUESTIONS.length);
    await pass(30_000);
    const asked = await asking;
    opa.kill('SIGCONT');
    expect(asked.map(({ results }) => results)).toEqual([
      decisionsOf(first.selection),
      decisionsOf(second.selection),
    ]);
    const shared = backend.traces.filter(({ sources }) =>
      sources.at(-1)!.attempts!.some(attempt => attempt.shared),
    );
    expect(shared).toHaveLength(QUESTIONS.length);
  });

  it('decides for many users by their own token once OPA is down', async () => {
    await opa.stop();
    for (let round = 1; round <= ROUNDS; round++) {
      gatekeeper.seen.length = 0;
      const release = api.hold();
      const asked = everybody(askAll);
      await gatekeeper.until(USERS * QUESTIONS.length);
      release();
      expect(await asked).toEqual(ownDecisions());
    }
    // Under load some wait so long that OPA counts as overloaded; the standby decides then too.
    const attempts = backend.traces.map(({ sources }) =>
      sources
        .at(-1)!
        .attempts!.map(({ source, verdict }) =>
          verdict === 'FAILED' ? `no ${source}` : source,
        ),
    );
    expect(attempts).toEqual(backend.traces.map(() => ['no opa', 'openchoreo']));
    expect(attempts).toHaveLength(ROUNDS * USERS * QUESTIONS.length);
  });
});

it('a replaced token service is used by the routes of the hosted policy', async () => {
  const member = await someone('other-header', 0b111111);
  const ask = (header: string) =>
    callRoute(
      backend,
      '/evaluate-with-context',
      { permissionName: 'openchoreo.project.create', namespace: 'acme' },
      { authorization: `Bearer ${member.backstageToken}`, [header]: member.idpToken },
    );
  expect(await ask(OPENCHOREO_TOKEN_HEADER)).toMatchObject({
    body: { allowed: false },
  });
  expect(api.tokens).toEqual([]);
  expect(await ask(OTHER_HEADER)).toEqual({ status: 200, body: { allowed: true } });
  expect(api.tokens).toEqual([member.idpToken]);
});
