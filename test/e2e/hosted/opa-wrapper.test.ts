/**
 * The opa-wrapper module, unmodified, as a source. Alone it fails whole batches if OPA does not
 * answer or returns something unusable; hosted, it denies only its own question.
 */
import opaWrapperModule from '@parsifal-m/plugin-permission-backend-module-opa-wrapper';
import { hostPolicy } from '../../../src/index';
import type { Failure } from '../../../src/verdict';
import { untilStopped } from '../../faults/signals';
import { refOf } from '../../properties/reference/catalog-rules';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type Authorized,
  type Question,
  type RunningBackend,
} from '../../support/backend';
import { checks, LISTS } from '../../support/catalog-reads';
import { ingested } from '../../support/catalog-backend';
import { pass, resumeClock, stopClock } from '../../support/clock';
import { startOpa, type OpaServer } from '../../support/opa-server';
import {
  answer,
  decision,
  startStub,
  type Behaviour,
  type StubServer,
} from '../../support/stub-server';
import { until } from '../../support/until';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

/** In milliseconds; what hangs takes them on a clock that the test turns. */
const TIMEOUT = 60_000;

const permissionConfig = (opaUrl: string): Record<string, unknown> => ({
  enabled: true,
  opa: {
    baseUrl: opaUrl,
    policy: {
      policyEntryPoint: 'opa_wrapper/decision',
      policyFallbackDecision: 'deny',
    },
  },
});

async function startHosted(
  opaUrl: string,
  settings: object = {},
): Promise<RunningBackend> {
  const wrapper = {
    type: 'hosted',
    timeout: `${TIMEOUT}ms`,
    // The breaker must never open: every question has to reach the module.
    circuitBreaker: { volumeThreshold: 1_000_000 },
    ...settings,
  };
  return startBackend({
    configFiles: ['test/fixtures/app-config.anonymous.yaml'],
    features: [hostPolicy('wrapper', opaWrapperModule)],
    config: {
      permission: {
        ...permissionConfig(opaUrl),
        policyRouter: {
          fallback: 'deny',
          anonymous: 'evaluate',
          deadline: `${2 * TIMEOUT}ms`,
          sources: { wrapper },
          routes: [
            { prefix: 'wrapped', sources: ['wrapper'] },
            { prefix: 'asked', sources: ['wrapper'] },
            { prefix: 'catalog', sources: ['wrapper'] },
            { prefix: 'free', sources: ['allow'] },
          ],
        },
      },
    },
  });
}

/** The module as the one policy of a backend, as its documentation has it. */
const startAlone = (opaUrl: string): Promise<RunningBackend> =>
  startBackend({
    configFiles: ['test/fixtures/app-config.anonymous.yaml'],
    policy: opaWrapperModule,
    config: { permission: permissionConfig(opaUrl) },
  });

/** The module alone and hosted, to compare what happens to a batch. */
class Pair {
  private constructor(
    readonly hosted: RunningBackend,
    readonly alone: RunningBackend,
    private readonly token: string,
    private readonly tokenOfAlone: string,
  ) {}

  static async start(opaUrl: string): Promise<Pair> {
    const hosted = await startHosted(opaUrl);
    const alone = await startAlone(opaUrl);
    const [token, tokenOfAlone] = [
      await hosted.signIn('nolan'),
      await alone.signIn('nolan'),
    ];
    return new Pair(hosted, alone, token, tokenOfAlone);
  }

  askHosted(batch: readonly Question[]): Promise<Authorized> {
    return authorize(this.hosted.url, this.token, batch);
  }

  askAlone(batch: readonly Question[]): Promise<Authorized> {
    return authorize(this.alone.url, this.tokenOfAlone, batch);
  }

  /** The failure in the last decision on this permission. */
  failureOf({ permission }: Question): Failure | undefined {
    return this.hosted.traces.findLast(
      trace => trace.permission?.name === permission.name,
    )?.sources[0]?.failure;
  }

  async stop(): Promise<void> {
    await this.hosted.stop();
    await this.alone.stop();
  }
}

/** The question between two others, which the table (`free`) or the module (`asked`) decides. */
const around = (question: Question, siblings: 'asked' | 'free'): Question[] => [
  basic(`${siblings}.before.read`, 'read'),
  question,
  basic(`${siblings}.after.read`, 'read'),
];

const OTHERS_ALLOWED: Authorized = { status: 200, results: ['ALLOW', 'DENY', 'ALLOW'] };

const onWrapped = (name: string): Question => onEntity(`wrapped.${name}`, 'read');

afterEach(resumeClock);

describeWithOpa('of a real OPA', () => {
  let opa: OpaServer;
  let pair: Pair;

  beforeAll(async () => {
    opa = await startWrapped();
    pair = await Pair.start(opa.url);
  }, 120_000);
  afterAll(async () => {
    await pair?.stop();
    await opa?.stop();
  });

  it('decides what is routed to it as it does alone', async () => {
    const batch = [basic('asked.read', 'read'), basic('asked.create', 'create')];
    const expected = { status: 200, results: ['ALLOW', 'ALLOW'] };
    expect(await pair.askHosted(batch)).toEqual(expected);
    expect(await pair.askAlone(batch)).toEqual(expected);
  });

  it('allows the same in lists and in single checks', async () => {
    const { hosted } = pair;
    const petra = await hosted.signIn('petra');
    // The entities in dev/catalog/entities.yaml, and the location itself.
    const entities = await ingested(hosted, petra, 11);
    const refs = entities.map(refOf).sort();
    const refByName = new Map(entities.map(each => [each.metadata.name, refOf(each)]));
    const ways = { ...LISTS, checks };
    const readBy = async (token: string): Promise<Record<string, string[]>> => {
      const reader = { url: hosted.url, token, refByName };
      const read = Object.entries(ways).map(
        async ([way, reading]) => [way, (await reading(reader, refs)).sort()] as const,
      );
      return Object.fromEntries(await Promise.all(read));
    };
    const everyWay = (expected: string[]): Record<string, string[]> =>
      Object.fromEntries(Object.keys(ways).map(way => [way, expected]));
    const ofPayments = ['payments-api', 'payments-ledger', 'payments-vault'];

    expect(await readBy(await hosted.signIn('olivia'))).toEqual(
      everyWay(ofPayments.map(name => `component:default/${name}`)),
    );
    expect(await readBy(await hosted.signIn('nolan'))).toEqual(
      everyWay(['component:default/search-ui']),
    );
    expect(await readBy(petra)).toEqual(everyWay(refs));
  });

  describe('denies only its own question after', () => {
    it.each<[string, Question, number, string]>([
      ['an answer without a result', onWrapped('undefined'), 500, 'THREW'],
      ['a result that is null', onWrapped('null'), 500, 'THREW'],
      [
        'conditions for a basic permission',
        basic('wrapped.conditional', 'read'),
        500,
        'BAD_CONDITIONS',
      ],
      [
        'conditions for another resource type',
        onWrapped('other-type'),
        500,
        'BAD_CONDITIONS',
      ],
      [
        'a conditional decision without conditions',
        onWrapped('unconditional'),
        500,
        'THREW',
      ],
      ['an unknown rule', onWrapped('unknown-rule'), 500, 'UNKNOWN_RULE'],
      ['params of the wrong type', onWrapped('bad-params'), 400, 'BAD_PARAMS'],
      ['missing params', onWrapped('no-params'), 400, 'BAD_PARAMS'],
      ['an empty anyOf', onWrapped('empty-any-of'), 400, 'BAD_DECISION'],
      [
        'conditions for an unknown plugin',
        onWrapped('unknown-plugin'),
        404,
        'UNKNOWN_PLUGIN',
      ],
    ])('%s', async (_what, question, ofAlone, code) => {
      const batch = around(question, 'asked');
      expect((await pair.askAlone(batch)).status).toBe(ofAlone);
      expect(await pair.askHosted(batch)).toEqual(OTHERS_ALLOWED);
      expect(pair.failureOf(question)).toMatchObject({ class: 'invalid', code });
    });

    it('a request without a user', async () => {
      const question = onWrapped('anonymous');
      const batch = around(question, 'free');
      expect((await authorize(pair.alone.url, undefined, batch)).status).toBe(500);
      expect(await authorize(pair.hosted.url, undefined, batch)).toEqual(
        OTHERS_ALLOWED,
      );
      expect(pair.failureOf(question)).toMatchObject({
        class: 'invalid',
        code: 'THREW',
        message: 'the source threw TypeError',
      });
    });

    // From here on OPA hangs, and then it is gone.
    it('an OPA that hangs', async () => {
      const question = basic('asked.hanging.read', 'read');
      const batch = around(question, 'free');
      await freeze(opa);
      stopClock();
      const since = pair.hosted.logs.lines.length;
      let isAnswered = false;
      const answerOfAlone = pair.askAlone(batch).finally(() => (isAnswered = true));
      const answerOfHosted = pair.askHosted(batch);
      await pair.hosted.logs.waitFor('Sending policy input to OPA', since);
      await pass(TIMEOUT);
      expect(await answerOfHosted).toEqual(OTHERS_ALLOWED);
      expect(pair.failureOf(question)?.code).toBe('TIMEOUT');
      // It waits for as long as OPA hangs, or for the five minutes that `fetch` allows.
      expect(isAnswered).toBe(false);
      opa.kill('SIGCONT');
      const { results } = await answerOfAlone;
      expect(results).toEqual(['ALLOW', 'ALLOW', 'ALLOW']);
    });

    it('an OPA that is killed while it is asked', async () => {
      const question = onWrapped('killed');
      const batch = around(question, 'free');
      await freeze(opa);
      const since = [pair.alone, pair.hosted].map(({ logs }) => logs.lines.length);
      const [ofAlone, ofHosted] = [pair.askAlone(batch), pair.askHosted(batch)];
      await pair.alone.logs.waitFor('Sending policy input to OPA', since[0]);
      await pair.hosted.logs.waitFor('Sending policy input to OPA', since[1]);
      opa.kill('SIGKILL');
      await opa.stop();
      expect((await ofAlone).status).toBe(500);
      expect(await ofHosted).toEqual(OTHERS_ALLOWED);
      expect(pair.failureOf(question)).toMatchObject({
        class: 'invalid',
        code: 'THREW',
      });
    });

    it('an OPA whose port is closed', async () => {
      const question = onWrapped('gone');
      const batch = around(question, 'free');
      expect((await pair.askAlone(batch)).status).toBe(500);
      expect(await pair.askHosted(batch)).toEqual(OTHERS_ALLOWED);
      expect(pair.failureOf(question)).toMatchObject({
        class: 'invalid',
        code: 'THREW',
      });
    });
  });
});

async function freeze(opa: OpaServer): Promise<void> {
  opa.kill('SIGSTOP');
  await untilStopped(opa.pid);
}

const startWrapped = (): Promise<OpaServer> =>
  startOpa({
    binary: requireOpa(),
    policies: ['test/fixtures/policies/opa-wrapper.rego'],
  });

/** A call that hangs cannot be aborted; it holds its place until it ends. */
describeWithOpa('of an OPA that hangs', () => {
  let opa: OpaServer;
  let backend: RunningBackend;

  beforeAll(async () => {
    opa = await startWrapped();
    backend = await startHosted(opa.url, { concurrency: 2 });
  });
  afterAll(async () => {
    await backend?.stop();
    await opa?.stop();
  });

  it('is not asked while all its slots are taken, and is asked again when OPA resumes', async () => {
    const token = await backend.signIn('nolan');
    let asked = 0;
    const ask = async (count: number, time = 0) => {
      const since = backend.logs.lines.length;
      const batch = Array.from({ length: count }, () =>
        basic(`asked.q${asked++}.read`),
      );
      const answer = authorize(backend.url, token, batch);
      if (time > 0) {
        const sent = () =>
          backend.logs.lines
            .slice(since)
            .filter(({ message }) => message.includes('Sending policy input to OPA'));
        await until(() => sent().length === count, 'all were sent to OPA');
        await pass(time);
      }
      const { results } = await answer;
      const codes = backend.traces
        .slice(-count)
        .map(trace => trace.sources[0]?.failure?.code);
      return { results, codes };
    };
    expect(await ask(1)).toEqual({ results: ['ALLOW'], codes: [undefined] });
    await freeze(opa);
    stopClock();
    const late = 'TIMEOUT';
    expect(await ask(2, TIMEOUT)).toEqual({
      results: ['DENY', 'DENY'],
      codes: [late, late],
    });
    expect(await ask(1)).toEqual({ results: ['DENY'], codes: ['HUNG'] });
    opa.kill('SIGCONT');
    // Nothing tells that the late answers have come and been ignored.
    let again;
    await until(async () => {
      again = await ask(1);
      return again.results[0] === 'ALLOW';
    }, 'a place was free again');
    expect(again).toEqual({ results: ['ALLOW'], codes: [undefined] });
    const ofLate = backend.traces.filter(
      ({ sources }) => sources[0]?.failure?.code === late,
    );
    expect(ofLate.map(({ result }) => result)).toEqual(['DENY', 'DENY']);
  });
});

describe('a hosted opa-wrapper whose OPA', () => {
  let stub: StubServer;
  let pair: Pair;

  beforeAll(async () => {
    stub = await startStub(decision({ result: 'ALLOW' }));
    pair = await Pair.start(stub.url);
  }, 120_000);
  afterAll(async () => {
    await pair?.stop();
    await stub?.stop();
  });

  const reset: Behaviour = socket => socket.resetAndDestroy();
  const resetMidBody: Behaviour = socket => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"result"';
    socket.write(head, () => socket.resetAndDestroy());
  };
  const endMidBody: Behaviour = socket => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"result"');
  };

  it.each<[string, Behaviour]>([
    ['answers with something that is not JSON', answer('<html>')],
    ['answers null', answer('null')],
    ['answers with an empty body', answer('')],
    ['resets the connection', reset],
    ['resets the connection in the middle of its answer', resetMidBody],
    ['ends the connection in the middle of its answer', endMidBody],
  ])('%s denies only its own question', async (_what, behaviour) => {
    const question = onWrapped('faulty');
    const batch = around(question, 'asked');
    stub.become((socket, request) =>
      (request.includes('"asked.') ? decision({ result: 'ALLOW' }) : behaviour)(
        socket,
        request,
      ),
    );
    expect((await pair.askAlone(batch)).status).toBe(500);
    expect(await pair.askHosted(batch)).toEqual(OTHERS_ALLOWED);
    expect(pair.failureOf(question)).toMatchObject({ class: 'invalid', code: 'THREW' });
  });

  it('answers with another status denies by itself', async () => {
    const question = onWrapped('faulty');
    stub.become((socket, request) =>
      (request.includes('"asked.')
        ? decision({ result: 'ALLOW' })
        : answer('{}', '500 Internal Server Error'))(socket, request),
    );
    const batch = around(question, 'asked');
    expect(await pair.askAlone(batch)).toEqual(OTHERS_ALLOWED);
    expect(await pair.askHosted(batch)).toEqual(OTHERS_ALLOWED);
    expect(pair.failureOf(question)).toBeUndefined();
  });
});
