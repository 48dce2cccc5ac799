/** The spans of decisions in the whole router; OPA is a stub that says what it was sent. */
import {
  context,
  SpanStatusCode,
  trace,
  type ContextManager,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { AlwaysOffSampler, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { createRouter } from '../../src/router';
import { CapturedLogs } from '../support/captured-logs';
import { ChangingConfig } from '../support/changing-config';
import { queryOf } from '../support/in-process';
import { patiently } from '../support/patience';
import { inSpan, recordSpans, type RecordedSpans } from '../support/recorded-spans';
import { startRouter, type TestRouter } from '../support/router';
import { unread } from '../support/rule-directory';
import { answer, decision, startStub, type StubServer } from '../support/stub-server';

interface Asked {
  readonly user: string;
  readonly name: string;
  readonly traceparent: string | undefined;
}

let asked: Asked[];
let stub: StubServer;
let router: TestRouter;
let spans: RecordedSpans | undefined;

const allows = decision({ result: 'ALLOW' });

beforeEach(async () => {
  asked = [];
  stub = await startStub((socket, request) => {
    const body = JSON.parse(request.slice(request.indexOf('\r\n\r\n') + 4)) as {
      input: { permission: { name: string }; identity: { user: string } };
    };
    asked.push({
      user: body.input.identity.user,
      name: body.input.permission.name,
      traceparent: /^traceparent: (.*)$/im.exec(request)?.[1]?.trim(),
    });
    if (body.input.permission.name.startsWith('broken')) {
      answer('{}', '500 Internal Server Error')(socket, request);
    } else {
      allows(socket, request);
    }
  });
});

afterEach(async () => {
  router.close();
  await stub.stop();
  await spans?.stop();
  spans = undefined;
});

const start = async (more: object = {}): Promise<void> => {
  const opa = { type: 'opa', baseUrl: stub.url, entrypoint: 'a/b', ...more };
  const routes = [
    { prefix: 'tested', sources: ['opa'] },
    { prefix: 'broken', sources: ['opa'] },
    { prefix: 'both', sources: ['allow', 'opa'] },
  ];
  router = await startRouter(patiently({ fallback: 'deny', sources: { opa }, routes }));
};

const userOf = (name: string): PolicyQueryUser =>
  ({
    credentials: {},
    info: {
      userEntityRef: `user:default/${name}`,
      ownershipEntityRefs: [`group:default/${name}`],
    },
  }) as unknown as PolicyQueryUser;

const decide = async (name: string, user = 'olivia'): Promise<string> =>
  (await router.decide(queryOf(name), userOf(user))).result;

const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;

describe('with an SDK', () => {
  beforeEach(() => {
    spans = recordSpans();
  });

  it('a decision has a span below that of the request, and each source one below it', async () => {
    await start();
    await inSpan('request', () => decide('both.thing'));
    const [request] = spans!.named('request');
    const [decided] = spans!.named('policy_router.decision');
    const sources = spans!.named('policy_router.source');
    expect(decided!.parentSpanContext?.spanId).toBe(idOf(request!));
    expect(sources.map(each => each.parentSpanContext?.spanId)).toEqual([
      idOf(decided!),
      idOf(decided!),
    ]);
    expect(asked[0]!.traceparent).toBe(
      `00-${traceOf(request!)}-${idOf(sources[1]!)}-01`,
    );
  });

  it('they say what was decided, and nothing about the user', async () => {
    await start();
    await decide('tested.thing');
    const [decided] = spans!.named('policy_router.decision');
    const [source] = spans!.named('policy_router.source');
    expect(decided!.attributes).toEqual({
      'policy_router.permission': 'tested.thing',
      'policy_router.route': "'tested'",
      'policy_router.result': 'ALLOW',
    });
    expect(decided!.status.code).toBe(SpanStatusCode.UNSET);
    expect(source!.attributes).toEqual({
      'policy_router.source': 'opa',
      'policy_router.result': 'ALLOW',
    });
    const told = spans!.all().map(({ attributes, events, links, status, name }) => ({
      ...{ attributes, events, links, status, name },
    }));
    expect(JSON.stringify(told)).not.toContain('olivia');
  });

  it('a failure is an error, with its class and code', async () => {
    await start();
    await decide('broken.thing');
    const failure = {
      'policy_router.failure.class': 'invalid',
      'policy_router.failure.code': 'HTTP_500',
    };
    for (const name of ['policy_router.decision', 'policy_router.source']) {
      const [span] = spans!.named(name);
      expect(span!.attributes).toMatchObject(failure);
      expect(span!.status).toEqual({ code: SpanStatusCode.ERROR, message: 'HTTP_500' });
    }
  });

  it('name the endpoint and the standby that answered', async () => {
    const gone = await startStub(() => {});
    await gone.stop();
    await start({ baseUrl: [gone.url, stub.url] });
    await decide('tested.thing');
    expect(spans!.named('policy_router.source')[0]!.attributes).toEqual({
      'policy_router.source': 'opa',
      'policy_router.result': 'ALLOW',
      'policy_router.endpoint': stub.url,
      'policy_router.failure.class': 'unavailable',
      'policy_router.failure.code': 'ECONNREFUSED',
    });
    router.close();
    spans!.clear();
    router = await startRouter(
      patiently({
        fallback: 'deny',
        sources: {
          opa: { type: 'opa', baseUrl: gone.url, entrypoint: 'a/b', standby: 'deny' },
        },
        routes: [{ prefix: '', sources: ['opa'] }],
      }),
    );
    await decide('tested.thing');
    const [source] = spans!.named('policy_router.source');
    expect(source!.attributes).toMatchObject({
      'policy_router.standby': 'deny',
      'policy_router.failure.code': 'ECONNREFUSED',
    });
    expect(source!.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('a decision without a route says none', async () => {
    await start();
    await router.decide(queryOf('tested.thing'));
    expect(spans!.named('policy_router.decision')[0]!.attributes).toMatchObject({
      'policy_router.route': 'none',
      'policy_router.result': 'DENY',
    });
  });

  it('an explanation has none', async () => {
    await start();
    const explaining = await createRouter({
      config: new ChangingConfig(
        patiently({
          fallback: 'deny',
          sources: { opa: { type: 'opa', baseUrl: stub.url, entrypoint: 'a/b' } },
          routes: [{ prefix: '', sources: ['opa'] }],
        }),
      ).service,
      services: {
        userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
        readRules: () => Promise.resolve(unread),
        policies: new ProvidedPolicies(),
        logger: new CapturedLogs().logger(),
      },
    });
    const record = await explaining.policy.explain(queryOf('tested.thing').permission, {
      userEntityRef: 'user:default/olivia',
      ownershipEntityRefs: [],
    });
    explaining.close();
    expect(record.result).toBe('ALLOW');
    expect(spans!.all()).toEqual([]);
  });

  it('a shared question carries the context of its first caller', async () => {
    await start();
    await Promise.all([
      inSpan('first', () => decide('tested.thing')),
      inSpan('second', () => decide('tested.thing')),
    ]);
    const [first] = spans!.named('first');
    expect(asked).toHaveLength(1);
    expect(asked[0]!.traceparent).toContain(traceOf(first!));
    expect(spans!.named('policy_router.source')).toHaveLength(2);
  });

  it('of many users at once, in turns and in the queue, each stays in its own trace', async () => {
    await start({ concurrency: 2, queue: 1000 });
    const USERS = ['olivia', 'nolan'];
    const names = Array.from({ length: 100 }, (_, index) => `tested.n${index}`);
    await Promise.all(
      names.flatMap(name =>
        USERS.map(user => inSpan(`${user} ${name}`, () => decide(name, user))),
      ),
    );
    expect(asked).toHaveLength(names.length * USERS.length);
    const sources = new Map(
      spans!.named('policy_router.source').map(each => [idOf(each), each]),
    );
    const decisions = new Map(
      spans!.named('policy_router.decision').map(each => [idOf(each), each]),
    );
    for (const { user, name, traceparent } of asked) {
      const [request] = spans!.named(`${user.replace('user:default/', '')} ${name}`);
      const [, traceId, spanId] = traceparent!.split('-');
      const source = sources.get(spanId!)!;
      const decided = decisions.get(source.parentSpanContext!.spanId)!;
      expect(traceId).toBe(traceOf(request!));
      expect(decided.parentSpanContext!.spanId).toBe(idOf(request!));
      expect(decided.attributes['policy_router.permission']).toBe(name);
    }
  });
});

it('what is not sampled has no spans, but OPA gets its trace', async () => {
  spans = recordSpans(new AlwaysOffSampler());
  await start();
  await inSpan('request', () => decide('tested.thing'));
  expect(spans.all()).toEqual([]);
  expect(asked[0]!.traceparent).toMatch(/-00$/);
});

it('of many users at once, none sampled, OPA gets the trace of each', async () => {
  spans = recordSpans(new AlwaysOffSampler());
  await start({ concurrency: 2, queue: 1000 });
  const traces = new Map<string, string>();
  const names = Array.from({ length: 100 }, (_, index) => `tested.n${index}`);
  const one = (name: string, user: string) =>
    inSpan('request', () => {
      const { traceId } = trace.getActiveSpan()!.spanContext();
      traces.set(`user:default/${user} ${name}`, traceId);
      return decide(name, user);
    });
  await Promise.all(names.flatMap(name => [one(name, 'olivia'), one(name, 'nolan')]));
  expect(asked).toHaveLength(2 * names.length);
  for (const { user, name, traceparent } of asked) {
    expect(traceparent?.split('-')[1]).toBe(traces.get(`${user} ${name}`));
  }
});

it('without an SDK OPA gets no trace', async () => {
  await start();
  expect(await decide('tested.thing')).toBe('ALLOW');
  expect(asked[0]!.traceparent).toBeUndefined();
});

describe('an SDK that throws changes no decision:', () => {
  const thrown = (): never => {
    throw new Error('an SDK that throws');
  };
  const named = (throws: readonly string[], rest: object): object =>
    new Proxy(rest, {
      get: (target, name) =>
        throws.includes(String(name)) ? thrown : (Reflect.get(target, name) as unknown),
    });
  const tracerOf = (startSpan: Tracer['startSpan']): Tracer =>
    ({ startSpan }) as unknown as Tracer;
  const spanThat = (...throws: string[]): Span =>
    named(throws, {
      isRecording: () => true,
      spanContext: () => ({ traceId: '1'.repeat(32), spanId: '2'.repeat(16) }),
      setAttributes: () => {},
      setStatus: () => {},
      end: () => {},
    }) as Span;

  const tracers: Record<string, () => Tracer> = {
    'a tracer': () => tracerOf(thrown),
    isRecording: () => tracerOf(() => spanThat('isRecording')),
    setAttributes: () => tracerOf(() => spanThat('setAttributes')),
    setStatus: () => tracerOf(() => spanThat('setStatus')),
    end: () => tracerOf(() => spanThat('end')),
    spanContext: () => tracerOf(() => spanThat('spanContext')),
    'the second span': () => {
      let spansMade = 0;
      return tracerOf(() => (spansMade++ === 0 ? spanThat() : thrown()));
    },
  };

  it.each(Object.keys(tracers))('%s', async which => {
    spans = recordSpans();
    trace.disable();
    trace.setGlobalTracerProvider({ getTracer: tracers[which]! });
    await start();
    expect(await decide('tested.thing')).toBe('ALLOW');
    expect(await decide('broken.thing')).toBe('DENY');
    expect(await decide('other.thing')).toBe('DENY');
  });

  const managers: Record<string, Partial<ContextManager>> = {
    'a context manager without a context': { active: thrown },
    'a context manager before the work': { with: thrown },
    'a context manager after the work': {
      with: ((_context: unknown, work: () => unknown) => {
        work();
        return thrown();
      }) as ContextManager['with'],
    },
    'a context manager that forgets the work': { with: () => undefined as never },
  };

  it.each(Object.keys(managers))('%s', async which => {
    spans = recordSpans();
    const real = (
      context as unknown as { _getContextManager(): ContextManager }
    )._getContextManager();
    context.disable();
    const broken = managers[which]!;
    context.setGlobalContextManager(
      new Proxy(real, {
        get: (target, name) =>
          name in broken
            ? (Reflect.get(broken, name) as unknown)
            : (Reflect.get(target, name) as () => void).bind(target),
      }),
    );
    await start();
    expect(await decide('tested.thing')).toBe('ALLOW');
    expect(await decide('broken.thing')).toBe('DENY');
    expect(asked).toHaveLength(2);
  });
});
