/** What a source of the config is built as, and what its guards say in the log. */
import type { Answer } from '../../src/answer';
import {
  guardedSource,
  type Endpoint,
  type SourceServices,
} from '../../src/guard/guarded-source';
import { Turns } from '../../src/lib/turns';
import { LocalGuard } from '../../src/guard/guard';
import { RemoteGuard } from '../../src/guard/remote-guard';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { Deadline } from '../../src/lib/deadline';
import { permission, request } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { pass, resumeClock, stopClock } from '../support/clock';
import { configOf, sourcesOf } from '../support/read-config';
import { decision, startStub, type StubServer } from '../support/stub-server';

const TIMEOUT = 500;
const RESET = 10_000;

let logs: CapturedLogs;
let policies: ProvidedPolicies;
let built: readonly Endpoint[];
beforeEach(() => {
  stopClock();
  logs = new CapturedLogs();
  policies = new ProvidedPolicies();
  built = [];
});
afterEach(async () => {
  for (const { guard } of built) await guard.close();
  resumeClock();
});

const services = (): SourceServices => ({
  logger: logs.logger(),
  policies,
  turns: new Turns(),
});

/** The source as a config describes it, under the name `tested`. */
async function build(source: object): Promise<readonly Endpoint[]> {
  const raw = configOf({ tested: source }, { deadline: '10m' });
  const config = (await sourcesOf(raw, { provided: policies })).get('tested')!;
  return (built = await guardedSource('tested', config, services()));
}

const asked = request(permission('tested'), ['user:default/olivia']);

const ask = async ({ guard }: Endpoint): Promise<string> => {
  const answer: Answer = await guard.ask(asked, new Deadline(60_000), said => said);
  return answer.kind === 'FAILED' ? answer.failure.code : answer.kind;
};

const lines = (): string[] =>
  logs.lines.splice(0).map(({ level, message }) => `${level} ${message}`);

describe('a source that decides at once', () => {
  it('has one endpoint without a name, and a guard that never waits', async () => {
    const [endpoint, ...others] = await build({ type: 'ownership' });
    expect([endpoint!.endpoint, others]).toEqual([undefined, []]);
    expect(endpoint!.guard).toBeInstanceOf(LocalGuard);
    expect(await ask(endpoint!)).toBe('NOT_APPLICABLE');
  });

  it('that cannot be set up rejects with the reason', async () => {
    const building = build({
      type: 'opa-wasm',
      bundle: 'no-such-bundle.tar.gz',
      entrypoint: 'a/b',
    });
    await expect(building).rejects.toThrow(/no-such-bundle/);
  });
});

describe('a source that must be waited for', () => {
  const opaAt = (...baseUrl: string[]): object => ({
    type: 'opa',
    baseUrl: baseUrl.length === 1 ? baseUrl[0] : baseUrl,
    entrypoint: 'a/b',
    timeout: `${TIMEOUT}ms`,
    circuitBreaker: { volumeThreshold: 1, resetTimeout: `${RESET}ms` },
  });

  let stub: StubServer;
  beforeEach(async () => {
    stub = await startStub(decision({ result: 'ALLOW' }));
  });
  afterEach(() => stub.stop());

  it('at one URL has one endpoint without a name, and a guard that waits', async () => {
    const [endpoint, ...others] = await build(opaAt(stub.url));
    expect([endpoint!.endpoint, others]).toEqual([undefined, []]);
    expect(endpoint!.guard).toBeInstanceOf(RemoteGuard);
    expect(await ask(endpoint!)).toBe('ALLOW');
  });

  it('at several URLs has an endpoint for each, in their order', async () => {
    const other = await startStub(decision({ result: 'DENY' }));
    try {
      const endpoints = await build(opaAt(stub.url, other.url));
      expect(endpoints.map(({ endpoint }) => endpoint)).toEqual([stub.url, other.url]);
      expect(await Promise.all(endpoints.map(ask))).toEqual(['ALLOW', 'DENY']);
    } finally {
      await other.stop();
    }
  });

  it('learns of an outage at each endpoint by itself', async () => {
    const gone = await startStub(decision({ result: 'DENY' }));
    await gone.stop();
    const [first, second] = await build(opaAt(gone.url, stub.url));
    expect(await ask(first!)).toBe('ECONNREFUSED');
    expect(await ask(first!)).toBe('BREAKER_OPEN');
    expect(await ask(second!)).toBe('ALLOW');
    expect(lines()).toEqual([
      `warn Source 'tested' at ${gone.url}: circuit breaker open`,
    ]);
  });

  it('has every change of its breaker in the log, and a warning only when it opens', async () => {
    stub.become(socket => socket.destroy());
    const [endpoint] = await build(opaAt(stub.url));
    await ask(endpoint!);
    expect(lines()).toEqual(["warn Source 'tested': circuit breaker open"]);
    await pass(RESET);
    expect(lines()).toEqual(["info Source 'tested': circuit breaker half-open"]);
    stub.become(decision({ result: 'ALLOW' }));
    expect(await ask(endpoint!)).toBe('ALLOW');
    expect(lines()).toEqual(["info Source 'tested': circuit breaker closed"]);
  });

  it('is a hosted policy by its name; an error says when all of its calls hang', async () => {
    policies.addSource('tested', { handle: () => new Promise(() => {}) });
    const [endpoint, ...others] = await build({
      type: 'hosted',
      timeout: `${TIMEOUT}ms`,
      concurrency: 2,
    });
    expect([endpoint!.endpoint, others]).toEqual([undefined, []]);
    const both = Promise.all([ask(endpoint!), ask(endpoint!)]);
    await pass(TIMEOUT);
    expect(await both).toEqual(['TIMEOUT', 'TIMEOUT']);
    expect(lines()).toEqual([
      "error Source 'tested': all of its 2 calls hang. No question is put until one ends; " +
        'a restart, or a change of the config of the source, gives it new ones',
    ]);
  });

  it('that no module provides rejects with the reason', async () => {
    policies.addSource('tested', { handle: () => new Promise(() => {}) });
    const { remote, options } = (
      await sourcesOf(configOf({ tested: { type: 'hosted' } }), {
        provided: policies,
      })
    ).get('tested')!;
    policies = new ProvidedPolicies();
    const building = guardedSource(
      'tested',
      { type: 'hosted', options, remote: remote! },
      services(),
    );
    await expect(building).rejects.toThrow('no module provides this policy');
  });
});

it.each([
  ['that does not exist', { type: 'magic', options: {} }],
  ['that must be waited for, without its settings', { type: 'opa', options: {} }],
])('a kind %s is refused', async (_what, config) => {
  await expect(guardedSource('tested', config, services())).rejects.toThrow(
    `there is no source of type '${config.type}'`,
  );
});
