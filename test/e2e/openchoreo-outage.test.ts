/**
 * The API behind the hosted OpenChoreo policy fails. The policy turns errors into DENY itself;
 * only a hang is an outage to the router.
 */
import { basic, type Question, type RunningBackend } from '../support/backend';
import { pass, resumeClock, stopClock } from '../support/clock';
import {
  authorizeAs,
  refOf,
  signInAnybody,
  startOpenChoreoBackend,
  type Member,
} from '../support/openchoreo';
import {
  withProfile,
  startProfileApi,
  withBody,
  withHalfABody,
  withReset,
  withStatus,
  type Answering,
  type ProfileApi,
} from '../support/profile-api';
import { until } from '../support/until';

const CREATE = basic('openchoreo.project.create', 'create');
const ELSEWHERE = basic('elsewhere.read', 'read');

const settings = (openchoreo: object): object => ({
  fallback: 'deny',
  deadline: '10m',
  sources: { openchoreo: { type: 'hosted', ...openchoreo } },
  routes: [
    { prefix: 'openchoreo', sources: ['openchoreo'] },
    { prefix: 'elsewhere', sources: ['allow'] },
  ],
});

let api: ProfileApi;
let backend: RunningBackend;
let newcomers = 0;

/** A user who may create projects and for whom nothing is cached. */
async function newcomer(): Promise<Member> {
  const member = await signInAnybody(backend.url, `newcomer-${++newcomers}`);
  api.grant(member.idpToken, { 'project:create': { allowed: [{ path: '*' }] } });
  return member;
}

/** Waits until the API has been asked about all of these users. */
async function requested(members: readonly Member[]): Promise<void> {
  const isRequested = ({ idpToken }: Member): boolean => api.tokens.includes(idpToken);
  while (!members.every(isRequested)) await api.nextRequest();
}

const newcomersOf = (count: number): Promise<Member[]> =>
  Promise.all(Array.from({ length: count }, newcomer));

const ask = async (member: Member, ...questions: Question[]): Promise<string> => {
  const { status, results } = await authorizeAs(backend, member, ...questions);
  return `${status} ${results.join(' ')}`;
};

/** OpenChoreo's verdict and failure in the last decision for this user. */
function said({ name }: Member): { verdict: string; failure: string | undefined } {
  const trace = backend.traces.findLast(
    ({ user, route }) => user === refOf(name) && route?.includes('openchoreo'),
  );
  const { verdict, failure } = trace!.sources[0]!;
  return { verdict, failure: failure && `${failure.class} ${failure.code}` };
}

async function use(openchoreo: object): Promise<void> {
  const since = backend.logs.lines.length;
  await backend.writeConfig(settings(openchoreo));
  await backend.logs.waitFor('The changed config is in use', since);
}

const linesOf = (text: string, since: number): string[] =>
  backend.logs.lines
    .slice(since)
    .map(({ level, message }) => `${level} ${message}`)
    .filter(line => line.includes(text));

beforeAll(async () => {
  api = await startProfileApi();
  backend = await startOpenChoreoBackend({
    openchoreo: { baseUrl: api.url },
    policyRouter: settings({ timeout: '60s', circuitBreaker: { volumeThreshold: 1 } }),
  });
});

afterAll(async () => {
  await backend?.stop();
  await api?.stop();
});

afterEach(() => {
  resumeClock();
  api.letGo();
  api.forget();
});

const ERRORS: Readonly<Record<string, Answering>> = {
  'HTTP 500': withStatus(500),
  'HTTP 503': withStatus(503),
  'HTTP 401': withStatus(401),
  'a body that is not JSON': withBody('<html>'),
  null: withBody('null'),
  'a reset': withReset,
  'a reset within the body': withHalfABody,
};

it.each(Object.entries(ERRORS))(
  'an API that answers with %s gives DENY, which is not a failure to the router',
  async (_error, answering) => {
    api.answer(answering);
    const since = backend.logs.lines.length;
    const members = await newcomersOf(3);
    for (const member of members) {
      expect(await ask(member, CREATE, ELSEWHERE)).toBe('200 DENY ALLOW');
      expect(said(member)).toEqual({ verdict: 'DENY', failure: undefined });
    }
    expect(api.tokens).toEqual(members.map(({ idpToken }) => idpToken));
    // One failure would have opened the breaker.
    expect(linesOf('circuit breaker', since)).toEqual([]);
    // It is asked again as soon as it works.
    api.answer(withProfile);
    expect(await ask(members[0]!, CREATE)).toBe('200 ALLOW');
  },
);

it.each([
  ['another object', '{"message":"ok"}'],
  ['another shape', '{"capabilities":{"project:create":{"allowed":"*"}}}'],
])(
  'an API that answers with %s gives DENY, and the policy caches that',
  async (_what, body) => {
    api.answer(withBody(body));
    const member = await newcomer();
    expect(await ask(member, CREATE, ELSEWHERE)).toBe('200 DENY ALLOW');
    expect(said(member)).toEqual({ verdict: 'DENY', failure: undefined });
    api.answer(withProfile);
    expect(await ask(member, CREATE)).toBe('200 DENY');
    expect(api.tokens).toHaveLength(1);
  },
);

describe('an API that hangs', () => {
  it('makes the source unavailable after the timeout: DENY for its items, 200 for the batch', async () => {
    await use({ timeout: '2s', circuitBreaker: { volumeThreshold: 100 } });
    const release = api.hold();
    const member = await newcomer();
    stopClock();
    const asking = ask(member, ELSEWHERE, CREATE, ELSEWHERE);
    await requested([member]);
    await pass(2_000);
    expect(await asking).toBe('200 ALLOW DENY ALLOW');
    expect(said(member)).toEqual({ verdict: 'DENY', failure: 'unavailable TIMEOUT' });
    release();
  });

  it('occupies a slot per call until the API answers', async () => {
    await use({
      timeout: '2s',
      concurrency: 2,
      circuitBreaker: { volumeThreshold: 100 },
    });
    const release = api.hold();
    const hung = await newcomersOf(2);
    const next = await newcomer();
    stopClock();
    const asking = Promise.all(hung.map(each => ask(each, CREATE)));
    await requested(hung);
    await pass(2_000);
    expect(await asking).toEqual(['200 DENY', '200 DENY']);
    expect(await ask(next, CREATE, ELSEWHERE)).toBe('200 DENY ALLOW');
    expect(said(next)).toEqual({ verdict: 'DENY', failure: 'overloaded HUNG' });
    expect(api.tokens.sort()).toEqual(hung.map(({ idpToken }) => idpToken).sort());
    release();
    await until(
      async () => (await ask(next, CREATE)) === '200 ALLOW',
      'a slot was free again',
    );
    expect(said(next)).toEqual({ verdict: 'ALLOW', failure: undefined });
  });

  it('opens the circuit breaker, so it is not asked, and is asked again once it answers', async () => {
    await use({
      timeout: '2s',
      concurrency: 8,
      circuitBreaker: { volumeThreshold: 3, resetTimeout: '500ms' },
    });
    const since = backend.logs.lines.length;
    const release = api.hold();
    const hung = await newcomersOf(3);
    const [probe, refused] = [await newcomer(), await newcomer()];
    stopClock();
    const asking = Promise.all(hung.map(each => ask(each, CREATE)));
    await requested(hung);
    await pass(2_000);
    expect(await asking).toEqual(hung.map(() => '200 DENY'));
    expect(hung.map(said)).toEqual(
      hung.map(() => ({ verdict: 'DENY', failure: 'unavailable TIMEOUT' })),
    );
    await backend.logs.waitFor("Source 'openchoreo': circuit breaker open", since);

    // A probe that hangs keeps it open.
    await pass(500);
    await backend.logs.waitFor("Source 'openchoreo': circuit breaker half-open", since);
    const probed = ask(probe, CREATE);
    await requested([probe]);
    expect(await ask(refused, CREATE, ELSEWHERE)).toBe('200 DENY ALLOW');
    expect(said(refused)).toEqual({
      verdict: 'DENY',
      failure: 'unavailable BREAKER_OPEN',
    });
    await pass(2_000);
    expect(await probed).toBe('200 DENY');
    expect(said(probe)).toEqual({ verdict: 'DENY', failure: 'unavailable TIMEOUT' });
    expect(api.tokens).not.toContain(refused.idpToken);

    const back = backend.logs.lines.length;
    release();
    await pass(500);
    await backend.logs.waitFor("Source 'openchoreo': circuit breaker half-open", back);
    expect(await ask(refused, CREATE)).toBe('200 ALLOW');
    expect(linesOf('circuit breaker closed', back)).toHaveLength(1);
    expect(await Promise.all(hung.map(each => ask(each, CREATE)))).toEqual(
      hung.map(() => '200 ALLOW'),
    );
  });

  it('hands over to the standby, but an API that answers with an error does not', async () => {
    const standby = { timeout: '2s', standby: 'everybody' };
    const since = backend.logs.lines.length;
    await backend.writeConfig({
      ...settings({}),
      sources: {
        openchoreo: { type: 'hosted', ...standby },
        everybody: { type: 'ownership' },
      },
    });
    await backend.logs.waitFor('The changed config is in use', since);
    api.answer(withStatus(503));
    const failed = await newcomer();
    expect(await ask(failed, CREATE)).toBe('200 DENY');
    expect(backend.traces.at(-1)!.sources[0]!.attempts).toBeUndefined();

    const release = api.hold();
    const hung = await newcomer();
    stopClock();
    const asking = ask(hung, CREATE);
    await requested([hung]);
    await pass(2_000);
    expect(await asking).toBe('200 DENY');
    expect(backend.traces.at(-1)!.sources[0]!.attempts).toMatchObject([
      { source: 'openchoreo', failure: { code: 'TIMEOUT' } },
      { source: 'everybody', standby: true, verdict: 'NOT_APPLICABLE' },
    ]);
    release();
  });
});

it('an API that is down gives DENY, which is not a failure to the router', async () => {
  await use({ timeout: '60s', circuitBreaker: { volumeThreshold: 1 } });
  const members = await newcomersOf(3);
  await api.stop();
  for (const member of members) {
    expect(await ask(member, CREATE, ELSEWHERE)).toBe('200 DENY ALLOW');
    expect(said(member)).toEqual({ verdict: 'DENY', failure: undefined });
  }
});
