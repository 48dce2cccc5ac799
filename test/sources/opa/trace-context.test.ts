/** What of the active trace goes to OPA, by OpenTelemetry's own context and propagators. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Context,
  type TextMapPropagator,
} from '@opentelemetry/api';
import { isTracingSuppressed, TraceState } from '@opentelemetry/core';
import {
  traceHeaders,
  withoutInstrumentation,
} from '../../../src/sources/opa/trace-context';
import { OpaSource } from '../../../src/sources/opa/source';
import { Cancellation } from '../../../src/sources/source';
import { recordSpans, type RecordedSpans } from '../../support/recorded-spans';
import { decision, startStub } from '../../support/stub-server';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;

let spans: RecordedSpans;
beforeEach(() => {
  spans = recordSpans();
});
afterEach(() => spans.stop());

const withSpan = (traceId = TRACE_ID, tracestate?: string): Context =>
  trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId: SPAN_ID,
    traceFlags: 1,
    ...(tracestate !== undefined && { traceState: new TraceState(tracestate) }),
  });

const headersIn = (active: Context) => context.with(active, traceHeaders);

/** What a host's propagator sets. */
function hostInjects(headers: Readonly<Record<string, string>>): void {
  propagation.disable();
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => {
      for (const [name, value] of Object.entries(headers))
        setter.set(carrier, name, value);
    },
  } as TextMapPropagator);
}

it('is nothing without a span', () => {
  expect(traceHeaders()).toBeUndefined();
});

it('is nothing of an invalid span', () => {
  hostInjects({ traceparent: TRACEPARENT });
  expect(headersIn(withSpan('0'.repeat(32)))).toBeUndefined();
});

it('is traceparent and tracestate of a span', () => {
  expect(headersIn(withSpan())).toEqual({ traceparent: TRACEPARENT });
  expect(headersIn(withSpan(TRACE_ID, 'vendor=x'))).toEqual({
    traceparent: TRACEPARENT,
    tracestate: 'vendor=x',
  });
});

it('is no baggage', () => {
  const baggage = propagation.createBaggage({ user: { value: 'olivia' } });
  const active = propagation.setBaggage(withSpan(), baggage);
  const injected = {};
  propagation.inject(active, injected);
  expect(injected).toHaveProperty('baggage', 'user=olivia');
  expect(headersIn(active)).toEqual({ traceparent: TRACEPARENT });
});

it.each(['b3', 'authorization', 'host', 'Content-Length'])('is no %s', name => {
  hostInjects({ [name]: 'x', TraceParent: TRACEPARENT });
  expect(headersIn(withSpan())).toEqual({ traceparent: TRACEPARENT });
});

it.each([
  ['traceparent', `${TRACEPARENT}\r\nx: y`],
  ['traceparent', TRACEPARENT.toUpperCase()],
  ['traceparent', 'x'.repeat(10_000)],
  ['tracestate', 'a=b\r\nx: y'],
  ['tracestate', 'a=\u00e4'],
  ['tracestate', ' a=b'],
  ['tracestate', `a=${'b'.repeat(511)}`],
  ['tracestate', ''],
])('is no illegal %s: %j', (name, value) => {
  hostInjects({ traceparent: TRACEPARENT, [name]: value });
  expect(headersIn(withSpan())).toEqual(
    name === 'traceparent' ? undefined : { traceparent: TRACEPARENT },
  );
});

it('is nothing if the propagator throws', () => {
  propagation.disable();
  propagation.setGlobalPropagator({
    inject: () => {
      throw new Error('a propagator that throws');
    },
  } as unknown as TextMapPropagator);
  expect(headersIn(withSpan())).toBeUndefined();
});

it("a host's instrumentation of HTTP clients adds nothing", () => {
  const isSuppressed = () => isTracingSuppressed(context.active());
  expect(context.with(withSpan(), () => withoutInstrumentation(isSuppressed))).toBe(
    true,
  );
  expect(context.with(withSpan(), isSuppressed)).toBe(false);
});

it('so OPA gets one traceparent, as undici tells instrumentation of no other request', async () => {
  const stub = await startStub(decision({ result: 'ALLOW' }));
  const source = new OpaSource({
    baseUrl: stub.url,
    entrypoint: 'a/b',
    concurrency: 1,
    connectTimeout: 500,
    maxResponseBytes: 1000,
  });
  const seen: boolean[] = [];
  const instrumentation = (): void =>
    void seen.push(isTracingSuppressed(context.active()));
  subscribe('undici:request:create', instrumentation);
  try {
    const question = source.prepare({
      permission: { type: 'basic', name: 'a', attributes: {} },
      principal: { userEntityRef: 'user:default/x', ownershipEntityRefs: [] },
    });
    await context.with(withSpan(), () => question.put(new Cancellation()));
    expect(seen).toEqual([true]);
  } finally {
    unsubscribe('undici:request:create', instrumentation);
    await source.close();
    await stub.stop();
  }
});
