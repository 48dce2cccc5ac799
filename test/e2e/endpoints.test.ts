/** One source with several endpoints: real OPAs that are killed, frozen and restarted. */
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  authorize,
  basic,
  startBackend,
  temporaryFolder,
  type RunningBackend,
} from '../support/backend';
import { pass, resumeClock, stopClock } from '../support/clock';
import { assumeIdleLoop } from '../support/idle-loop';
import { startOpa, type OpaServer } from '../support/opa-server';
import {
  answer,
  decision,
  silence,
  startStub,
  type StubServer,
} from '../support/stub-server';
import { tlsFixture } from '../support/tls-fixture';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

assumeIdleLoop();

const opaSource = (baseUrl: readonly string[], more: object = {}): object => ({
  type: 'opa',
  baseUrl,
  entrypoint: 'which/decision',
  circuitBreaker: { volumeThreshold: 2, resetTimeout: '200ms' },
  ...more,
});

/** Each OPA allows only the permissions that start with its name, which shows which one decided. */
const policyOf = (name: string, more: string): string => `package which

import rego.v1

default decision := {"result": "DENY"}

decision := {"result": "ALLOW"} if startswith(input.permission.name, "${name}.")

${more}
`;

/** Kills OPA as a crash would, and waits until it has exited. */
async function crash(opa: OpaServer): Promise<void> {
  const gone = once(opa.process, 'exit');
  opa.kill('SIGKILL');
  await gone;
}

/** What its endpoints said of the last decision on this permission. */
const attempts = (backend: RunningBackend, name: string) => {
  const trace = backend.traces.findLast(each => each.permission?.name === name);
  const { attempts: all, failure, endpoint } = trace!.sources[0]!;
  return (
    all?.map(each => [each.endpoint, each.failure?.class ?? each.verdict]) ?? [
      [endpoint, failure?.class ?? trace!.sources[0]!.verdict],
    ]
  );
};

describeWithOpa('two OPAs', () => {
  let folder: string;
  let opaOne: OpaServer;
  let opaTwo: OpaServer;
  let backend: RunningBackend;
  let token: string;

  const policy = (name: string): string => join(folder, `${name}.rego`);
  const questions = [basic('one.read', 'read'), basic('two.read', 'read')];
  const ask = async (): Promise<string> => {
    const { status, results } = await authorize(backend.url, token, questions);
    return `${status} ${results.join(' ')}`;
  };
  const BY_ONE = '200 ALLOW DENY';
  const BY_TWO = '200 DENY ALLOW';

  /** Asks until the results are these; one of the questions is the probe. */
  async function untilDecided(by: string): Promise<void> {
    await until(async () => (await ask()) === by, `the decisions were ${by}`);
  }

  beforeAll(async () => {
    folder = await temporaryFolder();
    await writeFile(
      policy('one'),
      policyOf(
        'one',
        'conflict := {"result": "ALLOW"}\n\nconflict := {"result": "DENY"}',
      ),
    );
    await writeFile(policy('two'), policyOf('two', 'conflict := {"result": "ALLOW"}'));
    const binary = requireOpa();
    opaOne = await startOpa({ binary, policies: [policy('one')] });
    opaTwo = await startOpa({ binary, policies: [policy('two')] });
    const baseUrl = [opaOne.url, opaTwo.url];
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          // Only one of the tests waits for this timeout.
          opa: opaSource(baseUrl, { timeout: '3s' }),
          mistaken: opaSource(baseUrl, {
            entrypoint: 'which/conflict',
            onUnavailable: 'fail-open',
          }),
        },
        routes: [
          { prefix: '', sources: ['opa'] },
          { prefix: 'opened', sources: ['opa'], onUnavailable: 'fail-open' },
          { prefix: 'mistaken', sources: ['mistaken'] },
        ],
      },
    });
    token = await backend.signIn('nolan');
  });

  afterAll(async () => {
    await backend.stop();
    await Promise.all([opaOne.stop(), opaTwo.stop()]);
    await rm(folder, { recursive: true });
  });

  it('are asked in the listed order: the first decides', async () => {
    expect(await ask()).toBe(BY_ONE);
    expect(attempts(backend, 'one.read')).toEqual([[opaOne.url, 'ALLOW']]);
    expect(attempts(backend, 'two.read')).toEqual([[opaOne.url, 'DENY']]);
  });

  it('deny without asking the second if the first answers nonsense', async () => {
    const { results } = await authorize(backend.url, token, [basic('mistaken.read')]);
    expect(results).toEqual(['DENY']);
    expect(attempts(backend, 'mistaken.read')).toEqual([[opaOne.url, 'invalid']]);
    await backend.logs.waitFor(
      `Source 'mistaken' at ${opaOne.url} is invalid [HTTP_500]`,
    );
  });

  it('decide by the second, in the remaining time, while the first is frozen', async () => {
    opaOne.kill('SIGSTOP');
    try {
      expect(await ask()).toBe(BY_TWO);
      const asked = backend.traces.slice(-2);
      for (const { sources } of asked) {
        expect(sources[0]!.attempts).toMatchObject([
          { endpoint: opaOne.url, failure: { code: 'TIMEOUT' } },
          { endpoint: opaTwo.url, failure: undefined },
        ]);
      }
    } finally {
      opaOne.kill('SIGCONT');
    }
    await untilDecided(BY_ONE);
  });

  it('decide by the second, for the same request, when the first is killed', async () => {
    const since = backend.logs.lines.length;
    await crash(opaOne);
    for (let round = 0; round < 4; round++) expect(await ask()).toBe(BY_TWO);
    expect(attempts(backend, 'two.read')).toEqual([
      [opaOne.url, 'unavailable'],
      [opaTwo.url, 'ALLOW'],
    ]);
    const { reason } = backend.traces.findLast(
      each => each.permission?.name === 'two.read',
    )!;
    expect(reason).toBe(
      `the Rego policy says ALLOW; said by 'opa' at ${opaTwo.url}, as 'opa' at ${opaOne.url} is unavailable`,
    );
    const who = `Source 'opa' at ${opaOne.url}`;
    await backend.logs.waitFor(`${who}: circuit breaker open`, since);
    await backend.logs.waitFor(`${who} is unavailable [`, since);
    expect(
      backend.logs.lines
        .slice(since)
        .filter(
          ({ message }) => message.includes(opaTwo.url) && !/said by/.test(message),
        ),
    ).toEqual([]);
  });

  it('leave the decision to the failure mode when both are down', async () => {
    await crash(opaTwo);
    const both = [basic('one.read', 'read'), basic('opened.read', 'read')];
    expect(await authorize(backend.url, token, both)).toEqual({
      status: 200,
      results: ['DENY', 'ALLOW'],
    });
    for (const { name } of both.map(({ permission }) => permission)) {
      expect(attempts(backend, name)).toEqual([
        [opaOne.url, 'unavailable'],
        [opaTwo.url, 'unavailable'],
      ]);
    }
  });

  it('are used again after a restart: the second, and then the first', async () => {
    const binary = requireOpa();
    const restart = (opa: OpaServer, name: string): Promise<OpaServer> =>
      startOpa({ binary, policies: [policy(name)], port: opa.port });
    const since = backend.logs.lines.length;
    opaTwo = await restart(opaTwo, 'two');
    await untilDecided(BY_TWO);
    opaOne = await restart(opaOne, 'one');
    await untilDecided(BY_ONE);
    await backend.logs.waitFor(
      `Source 'opa' at ${opaOne.url}: circuit breaker closed`,
      since,
    );
    expect(await ask()).toBe(BY_ONE);
    expect(attempts(backend, 'one.read')).toEqual([[opaOne.url, 'ALLOW']]);
  });
});

describeWithOpa('two OPAs that authenticate the router', () => {
  /** How a question is decided with both running, and after the first has crashed. */
  async function decidedBy(
    opas: readonly OpaServer[],
    source: object,
  ): Promise<readonly unknown[]> {
    const backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        onUnavailable: 'fail-open',
        sources: { opa: source },
        routes: [{ prefix: 'catalog', sources: ['opa'] }],
      },
    });
    try {
      const token = await backend.signIn('petra');
      const decide = async (): Promise<unknown> => {
        const asked = basic('catalog.entity.create', 'create');
        const { results } = await authorize(backend.url, token, [asked]);
        const { sources } = backend.traces.at(-1)!;
        return [
          results[0],
          sources[0]!.attempts?.length ?? 1,
          sources[0]!.failure?.code,
        ];
      };
      const first = await decide();
      await crash(opas[0]!);
      return [first, await decide()];
    } finally {
      await backend.stop();
      await Promise.all(opas.map(opa => opa.stop()));
    }
  }
  const start = (more: { policies?: string[]; args: string[] }) =>
    Promise.all(
      [1, 2].map(() =>
        startOpa({
          binary: requireOpa(),
          args: more.args,
          policies: ['config/policies', ...(more.policies ?? [])],
        }),
      ),
    );
  const source = (baseUrl: string[], more: object): object =>
    opaSource(baseUrl, { entrypoint: 'backstage_policy/decision', ...more });

  const BOTH_LET_IN = [
    ['ALLOW', 1, undefined],
    ['ALLOW', 2, undefined],
  ];

  it('both get the token', async () => {
    const opas = await start({
      policies: ['test/fixtures/policies/authz.rego'],
      args: ['--authentication', 'token', '--authorization', 'basic'],
    });
    const auth = { token: 'a-secret-token' };
    const urls = opas.map(({ url }) => url);
    expect(await decidedBy(opas, source(urls, { auth }))).toEqual(BOTH_LET_IN);
  });

  it('both get the client certificate', async () => {
    const opas = await start({
      args: [
        ...['--tls-cert-file', 'test/fixtures/tls/server.pem'],
        ...['--tls-private-key-file', 'test/fixtures/tls/server.key'],
        ...['--tls-ca-cert-file', 'test/fixtures/tls/ca.pem'],
        ...['--authentication', 'tls'],
        // The health endpoint stays on plain HTTP, so that the test can see when OPA is ready.
        ...['--diagnostic-addr', '127.0.0.1:0'],
      ],
    });
    const tls = {
      ca: tlsFixture('ca.pem'),
      cert: tlsFixture('client.pem'),
      key: tlsFixture('client.key'),
    };
    const urls = opas.map(({ url }) => url.replace('http:', 'https:'));
    expect(await decidedBy(opas, source(urls, { tls }))).toEqual(BOTH_LET_IN);
  });
});

describe('a failing endpoint before a healthy one', () => {
  let sick: StubServer;
  let healthy: StubServer;
  let backend: RunningBackend;
  let token: string;
  let asked = 0;

  const start = async (more: object): Promise<void> => {
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: { opa: opaSource([sick.url, healthy.url], more) },
        routes: [{ prefix: '', sources: ['opa'] }],
      },
    });
    token = await backend.signIn('nolan');
  };
  /** Different questions, all at once, so that none is shared. */
  const ask = async (count: number): Promise<readonly string[]> => {
    const questions = Array.from({ length: count }, () => basic(`tested.n${asked++}`));
    return (await authorize(backend.url, token, questions)).results;
  };
  const allowed = (count: number): string[] =>
    Array.from({ length: count }, () => 'ALLOW');
  const linesOf = (state: string): number =>
    backend.logs.lines.filter(
      ({ message }) =>
        message === `Source 'opa' at ${sick.url}: circuit breaker ${state}`,
    ).length;

  beforeEach(async () => {
    sick = await startStub(silence);
    healthy = await startStub(decision({ result: 'ALLOW' }));
  });
  afterEach(async () => {
    resumeClock();
    await backend.stop();
    await Promise.all([sick.stop(), healthy.stop()]);
  });

  it('gets one probe at a time and nothing else until it recovers', async () => {
    await start({
      timeout: '100ms',
      circuitBreaker: { volumeThreshold: 3, resetTimeout: '300ms' },
    });
    stopClock();
    const first = ask(3);
    await sick.untilRequests(3);
    await pass(100);
    expect(await first).toEqual(allowed(3));
    await backend.logs.waitFor('circuit breaker open');
    for (let probe = 1; probe <= 3; probe++) {
      expect(await ask(20)).toEqual(allowed(20));
      expect(sick.requests()).toBe(3 + probe - 1);
      await pass(300);
      expect(linesOf('half-open')).toBe(probe);
      const probing = ask(20);
      await sick.untilRequests(3 + probe);
      await healthy.untilRequests(asked - 1);
      await pass(100);
      expect(await probing).toEqual(allowed(20));
      // The probe has failed, which has opened the breaker once more.
      expect(linesOf('open')).toBe(1 + probe);
      expect(sick.requests()).toBe(3 + probe);
    }
    expect(healthy.requests()).toBe(asked);

    sick.become(decision({ result: 'DENY' }));
    await pass(300);
    expect(await ask(1)).toEqual(['DENY']);
    expect(linesOf('closed')).toBe(1);
    expect(await ask(2)).toEqual(['DENY', 'DENY']);
  });

  it('is skipped by the questions that find its queue full', async () => {
    await start({ timeout: '500ms', concurrency: 1, queue: 0 });
    stopClock();
    const asking = ask(2);
    await until(() => backend.traces.length === 1, 'one question was decided');
    await sick.untilRequests(1);
    await pass(500);
    expect(await asking).toEqual(allowed(2));
    const codes = backend.traces.map(({ sources }) =>
      sources[0]!.attempts?.map(({ failure, verdict }) => failure?.code ?? verdict),
    );
    expect(codes).toEqual([
      ['QUEUE_FULL', 'ALLOW'],
      ['TIMEOUT', 'ALLOW'],
    ]);
    expect([sick.requests(), healthy.requests()]).toEqual([1, 2]);
  });

  it('gets an identical question once, and so does the next endpoint', async () => {
    await start({ timeout: '500ms' });
    const same = Array.from({ length: 300 }, () => basic('tested.same'));
    stopClock();
    const asking = authorize(backend.url, token, same);
    await sick.untilRequests(1);
    await pass(500);
    const { results } = await asking;
    expect(results).toEqual(allowed(300));
    expect([sick.requests(), healthy.requests()]).toEqual([1, 1]);
    const shared = backend.traces.filter(
      ({ sources }) => sources[0]!.attempts?.[1]?.shared === true,
    );
    expect(shared).toHaveLength(299);
  });

  it('is skipped when it is overloaded, and its breaker stays closed', async () => {
    await start({ circuitBreaker: { volumeThreshold: 1, errorThreshold: 1 } });
    sick.become(answer('{}', '429 Too Many Requests'));
    for (let round = 0; round < 3; round++) expect(await ask(2)).toEqual(allowed(2));
    expect(sick.requests()).toBe(6);
    expect(linesOf('open')).toBe(0);
  });
});
