/** Who decides while a real OPA is unavailable: the embedded bundle or ownership. */
import { once } from 'node:events';
import { catalogNames } from '../../dev/checks';
import type { DecisionRecord } from '../../src/trace/record';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { pass, resumeClock, stopClock } from '../support/clock';
import { assumeIdleLoop, takeLoopForIdle } from '../support/idle-loop';
import { allIngested } from '../support/ingestion';
import { startOpa, type OpaServer } from '../support/opa-server';
import {
  answer,
  decision,
  silence,
  startStub,
  type StubServer,
} from '../support/stub-server';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const ENTRYPOINT = 'backstage_policy/decision';
const EMBEDDED = {
  type: 'opa-wasm',
  bundle: 'config/bundle.tar.gz',
  entrypoint: ENTRYPOINT,
};
const OWNERSHIP = { type: 'ownership' };

assumeIdleLoop();

const opaSource = (baseUrl: string, more: object = {}): object => ({
  type: 'opa',
  baseUrl,
  entrypoint: ENTRYPOINT,
  circuitBreaker: { volumeThreshold: 2, resetTimeout: '200ms' },
  ...more,
});

const OWN_ENTITY = 'component:default/search-ui';
const OTHER_ENTITY = 'component:default/payments-api';

/** Kills OPA as a crash would, and waits until it has exited. */
async function crash(opa: OpaServer): Promise<void> {
  const gone = once(opa.process, 'exit');
  opa.kill('SIGKILL');
  await gone;
}

/** The last decision on this permission: of its one source, who was asked and what they said. */
function traced(backend: RunningBackend, name: string) {
  const trace: DecisionRecord | undefined = backend.traces.findLast(
    each => each.permission?.name === name,
  );
  const { verdict, reason, failure, attempts } = trace!.sources[0]!;
  return {
    verdict,
    reason,
    failureClass: failure?.class,
    attempts: attempts?.map(each => [
      each.source,
      each.standby,
      each.failure?.class ?? each.verdict,
    ]),
  };
}

describeWithOpa('an OPA that has a standby', () => {
  const policies = ['config/policies', 'test/fixtures/policies/mistakes.rego'];
  let opa: OpaServer;
  let backend: RunningBackend;
  let nolan: string;
  let petra: string;

  const ask = async (token: string, ...questions: Question[]): Promise<string> => {
    const { status, results } = await authorize(backend.url, token, questions);
    return `${status} ${results.join(' ')}`;
  };

  beforeAll(async () => {
    opa = await startOpa({ binary: requireOpa(), policies });
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: opaSource(opa.url, { standby: 'embedded' }),
          owned: opaSource(opa.url, { standby: 'ownership' }),
          mistaken: opaSource(opa.url, {
            entrypoint: 'mistakes/conflict',
            standby: 'embedded',
            onUnavailable: 'fail-open',
          }),
          embedded: EMBEDDED,
          ownership: OWNERSHIP,
        },
        routes: [
          { prefix: 'catalog', sources: ['opa'] },
          { prefix: 'owned', sources: ['owned'] },
          { prefix: 'opened', sources: ['owned'], onUnavailable: 'fail-open' },
          { prefix: 'mistaken', sources: ['mistaken'] },
        ],
      },
    });
    nolan = await backend.signIn('nolan');
    petra = await backend.signIn('petra');
    await allIngested(backend.url, petra);
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  it('decides itself while it is available', async () => {
    const visible = await catalogNames(backend.url, nolan);
    expect(visible).toEqual(['payments-api', 'payments-vault', 'search-ui']);
    expect(traced(backend, 'catalog.entity.read').attempts).toBeUndefined();
    // Ownership would allow this to nolan, the committed Rego does not.
    expect(await ask(nolan, onEntity('owned.delete', 'delete', OWN_ENTITY))).toBe(
      '200 DENY',
    );
  });

  it('is not unavailable if it answers nonsense: the decision is DENY, the standby is not asked', async () => {
    // The embedded policy would allow this to petra.
    expect(await ask(petra, basic('mistaken.anything'))).toBe('200 DENY');
    expect(traced(backend, 'mistaken.anything')).toEqual({
      verdict: 'DENY',
      reason: "'mistaken' is invalid: OPA answered HTTP 500 (eval_conflict_error)",
      failureClass: 'invalid',
      attempts: undefined,
    });
  });

  describe('once it is killed', () => {
    let since: number;
    let opened: Promise<unknown>;

    beforeAll(async () => {
      takeLoopForIdle();
      since = backend.logs.lines.length;
      opened = backend.logs.waitFor("Source 'opa': circuit breaker open");
      await crash(opa);
    });

    it('leaves the decision to the embedded policy: ALLOW, DENY and conditions that the catalog applies', async () => {
      const questions = [
        basic('catalog.entity.create', 'create'),
        onEntity('catalog.entity.delete', 'delete', OWN_ENTITY),
        onEntity('catalog.entity.delete', 'delete', OTHER_ENTITY),
      ];
      expect(await ask(petra, ...questions)).toBe('200 ALLOW ALLOW ALLOW');
      expect(traced(backend, 'catalog.entity.create')).toEqual({
        verdict: 'ALLOW',
        reason:
          "the Rego policy says ALLOW; said by standby 'embedded', as 'opa' is unavailable",
        failureClass: undefined,
        attempts: [
          ['opa', false, 'unavailable'],
          ['embedded', true, 'ALLOW'],
        ],
      });

      expect(await ask(nolan, ...questions)).toBe('200 DENY ALLOW DENY');
      expect(traced(backend, 'catalog.entity.create').attempts).toEqual([
        ['opa', false, 'unavailable'],
        ['embedded', true, 'DENY'],
      ]);
      expect(traced(backend, 'catalog.entity.delete').attempts).toEqual([
        ['opa', false, 'unavailable'],
        ['embedded', true, 'CONDITIONAL'],
      ]);
    });

    it('is not missed in lists, which are filtered as before', async () => {
      expect(await catalogNames(backend.url, nolan)).toEqual([
        'payments-api',
        'payments-vault',
        'search-ui',
      ]);
    });

    it('causes a DENY if the standby abstains', async () => {
      // The committed Rego abstains on refreshing, and nobody else is asked.
      const question = onEntity('catalog.entity.refresh', 'update', OWN_ENTITY);
      expect(await ask(nolan, question)).toBe('200 DENY');
      expect(traced(backend, 'catalog.entity.refresh')).toMatchObject({
        verdict: 'DENY',
        reason: expect.stringMatching(
          /^'opa' is unavailable: .*; fail-closed$/,
        ) as unknown,
        failureClass: 'unavailable',
        attempts: [
          ['opa', false, 'unavailable'],
          ['embedded', true, 'NOT_APPLICABLE'],
        ],
      });
    });

    it('leaves the decision to ownership for the resources that ownership knows', async () => {
      expect(
        await ask(
          nolan,
          onEntity('owned.delete', 'delete', OWN_ENTITY),
          onEntity('owned.delete', 'delete', OTHER_ENTITY),
        ),
      ).toBe('200 ALLOW DENY');
      expect(traced(backend, 'owned.delete')).toEqual({
        verdict: 'CONDITIONAL',
        reason:
          "allowed to owners of the catalog-entity; said by standby 'ownership', as 'owned' is unavailable",
        failureClass: undefined,
        attempts: [
          ['owned', false, 'unavailable'],
          ['ownership', true, 'CONDITIONAL'],
        ],
      });
    });

    it('leaves the decision to the failure mode for what ownership does not know', async () => {
      const questions = [basic('owned.thing'), basic('opened.thing')];
      expect(await ask(nolan, ...questions)).toBe('200 DENY ALLOW');
      for (const [name, verdict] of [
        ['owned.thing', 'DENY'],
        ['opened.thing', 'ALLOW'],
      ] as const) {
        expect(traced(backend, name)).toMatchObject({
          verdict,
          failureClass: 'unavailable',
          attempts: [
            ['owned', false, 'unavailable'],
            ['ownership', true, 'NOT_APPLICABLE'],
          ],
        });
      }
    });

    it('does not fail open on what the standby denies', async () => {
      const question = onEntity('opened.delete', 'delete', OTHER_ENTITY);
      expect(await ask(nolan, question)).toBe('200 DENY');
    });

    it('is not asked while its breaker is open, and the standby still decides', async () => {
      await opened;
      expect(await ask(petra, basic('catalog.entity.create', 'create'))).toBe(
        '200 ALLOW',
      );
      expect(traced(backend, 'catalog.entity.create').attempts).toHaveLength(2);
    });

    it('causes warnings about itself, not about the healthy standby', async () => {
      await backend.logs.waitFor("Source 'opa' is unavailable [", since);
      await backend.logs.waitFor("Source 'owned' is unavailable [", since);
      const warnings = backend.logs.lines
        .slice(since)
        .filter(({ level }) => level === 'warn' || level === 'error')
        .map(({ message }) => message);
      const expected =
        /^Source '(opa|owned)'(: circuit breaker open$| is unavailable \[)/;
      expect(warnings.filter(message => !expected.test(message))).toEqual([]);
    });

    it('decides again itself after a restart', async () => {
      const restarted = backend.logs.lines.length;
      opa = await startOpa({ binary: requireOpa(), policies, port: opa.port });
      await decidesAgain('catalog.entity.create', 'create');
      await decidesAgain('owned.thing');
      await backend.logs.waitFor("Source 'opa': circuit breaker closed", restarted);
      expect(await ask(nolan, onEntity('owned.delete', 'delete', OWN_ENTITY))).toBe(
        '200 DENY',
      );
    });
  });

  /** Asks until the standby is no longer needed; one of the questions is the probe. */
  async function decidesAgain(name: string, action?: 'create'): Promise<void> {
    await until(async () => {
      await ask(petra, basic(name, action));
      return traced(backend, name).attempts === undefined;
    }, 'OPA decided again');
  }
});

describe('a standby', () => {
  let stub: StubServer;
  let backend: RunningBackend;
  let petra: string;

  const stubbed = (more: object = {}): object =>
    opaSource(stub.url, {
      concurrency: 1,
      queue: 0,
      circuitBreaker: { volumeThreshold: 1000 },
      ...more,
    });
  const start = async (sources: object): Promise<void> => {
    backend = await startBackend({ policyRouter: tableOf(sources) });
    petra = await backend.signIn('petra');
  };
  const tableOf = (sources: object): object => ({
    fallback: 'deny',
    sources,
    routes: [{ prefix: 'tested', sources: ['opa'] }],
  });
  const ask = async (...names: string[]): Promise<readonly string[]> => {
    const questions = names.map(name => basic(name));
    return (await authorize(backend.url, petra, questions)).results;
  };
  const codes = (...names: string[]): unknown[] =>
    names.map(name => {
      const trace = backend.traces.findLast(each => each.permission?.name === name);
      const { attempts, failure } = trace!.sources[0]!;
      return attempts?.map(each => each.failure?.code ?? each.verdict) ?? failure?.code;
    });

  beforeEach(async () => {
    stub = await startStub(silence);
  });
  afterEach(async () => {
    resumeClock();
    await backend.stop();
    await stub.stop();
  });

  it('is asked when the queue is full, and when OPA says that it is overloaded', async () => {
    await start({
      opa: stubbed({ standby: 'embedded', timeout: '500ms' }),
      embedded: EMBEDDED,
    });
    stopClock();
    const asking = ask('tested.one', 'tested.two');
    await stub.untilRequests(1);
    await pass(500);
    expect(await asking).toEqual(['ALLOW', 'ALLOW']);
    expect(codes('tested.one', 'tested.two')).toEqual([
      ['TIMEOUT', 'ALLOW'],
      ['QUEUE_FULL', 'ALLOW'],
    ]);
    expect(backend.traces.at(-1)!.reason).toContain("said by standby 'embedded'");

    stub.become(answer('{}', '429 Too Many Requests'));
    expect(await ask('tested.three')).toEqual(['ALLOW']);
    expect(codes('tested.three')).toEqual([['HTTP_429', 'ALLOW']]);
  });

  it('of a standby is asked when both are unavailable, but not after an invalid answer', async () => {
    const second = await startStub(answer('{}', '503 Service Unavailable'));
    try {
      await start({
        opa: stubbed({ standby: 'second' }),
        second: stubbed({ baseUrl: second.url, standby: 'embedded' }),
        embedded: EMBEDDED,
      });
      stub.become(socket => socket.resetAndDestroy());
      expect(await ask('tested.one')).toEqual(['ALLOW']);
      expect(codes('tested.one')).toEqual([['ECONNRESET', 'HTTP_503', 'ALLOW']]);

      second.become(answer('{}'));
      expect(await ask('tested.two')).toEqual(['DENY']);
      expect(codes('tested.two')).toEqual([['ECONNRESET', 'UNDEFINED_DECISION']]);
      await backend.logs.waitFor(
        "Source standby 'second' of 'opa' is invalid [UNDEFINED_DECISION]",
      );
    } finally {
      await second.stop();
    }
  });

  it('that is deny denies in any failure mode', async () => {
    await start({ opa: stubbed({ standby: 'deny', onUnavailable: 'fail-open' }) });
    stub.become(socket => socket.resetAndDestroy());
    expect(await ask('tested.one')).toEqual(['DENY']);
    expect(codes('tested.one')).toEqual([['ECONNRESET', 'DENY']]);
  });

  describe('that a hot reload adds, changes or removes', () => {
    const reload = async (sources: object): Promise<void> => {
      const since = backend.logs.lines.length;
      await backend.writeConfig(tableOf(sources));
      await backend.logs.waitFor('The changed config is in use', since);
    };
    const OWN = { ...OWNERSHIP, bypass: ['group:default/platform'] };

    it('keeps the connections to OPA', async () => {
      // Kept open for minutes, because a busy machine may take seconds to ask again.
      const body = JSON.stringify({ result: { result: 'ALLOW' } });
      stub.become(answer(body, '200 OK', 'keep-alive: timeout=600\r\n'));
      await start({ opa: stubbed() });
      expect(await ask('tested.one')).toEqual(['ALLOW']);
      const rest = { embedded: EMBEDDED, own: OWNERSHIP };
      for (const sources of [
        { ...rest, opa: stubbed({ standby: 'embedded' }) },
        { ...rest, opa: stubbed({ standby: 'own' }) },
        { ...rest, own: OWN, opa: stubbed({ standby: 'own' }) },
        { opa: stubbed() },
      ]) {
        await reload(sources);
        expect(await ask('tested.one')).toEqual(['ALLOW']);
      }
      expect(stub.requests()).toBe(5);
      expect(stub.connections()).toBe(1);
    });

    it("keeps OPA's breaker, and takes effect at once", async () => {
      stub.become(socket => socket.resetAndDestroy());
      const breaking = (more: object = {}): object =>
        stubbed({
          circuitBreaker: { volumeThreshold: 1, resetTimeout: '1 hour' },
          ...more,
        });
      await start({ opa: breaking() });
      expect(await ask('tested.one')).toEqual(['DENY']);
      await backend.logs.waitFor("Source 'opa': circuit breaker open");
      stub.become(decision({ result: 'ALLOW' }));

      await reload({ opa: breaking({ standby: 'embedded' }), embedded: EMBEDDED });
      expect(await ask('tested.one')).toEqual(['ALLOW']);
      expect(codes('tested.one')).toEqual([['BREAKER_OPEN', 'ALLOW']]);
      await reload({ opa: breaking({ standby: 'own' }), own: OWNERSHIP });
      expect(await ask('tested.one')).toEqual(['DENY']);
      expect(codes('tested.one')).toEqual([['BREAKER_OPEN', 'NOT_APPLICABLE']]);
      await reload({ opa: breaking() });
      expect(await ask('tested.one')).toEqual(['DENY']);
      expect(codes('tested.one')).toEqual(['BREAKER_OPEN']);
      expect(stub.requests()).toBe(1);
    });
  });
});
