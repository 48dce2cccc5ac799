/** One trace from the HTTP request through the decision and its source to a real OPA. */
import { context, propagation, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { startOpa, type OpaServer } from '../support/opa-server';
import { recordSpans, type RecordedSpans } from '../support/recorded-spans';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

/** What OPA's decision log says about one decision. */
interface Logged {
  readonly input: { readonly permission: { readonly name: string } };
  readonly trace_id?: string;
  readonly request_context?: { readonly http?: { readonly headers?: Headers } };
}
type Headers = Readonly<Record<string, readonly string[]>>;

describeWithOpa('the trace of a decision', () => {
  const logged: Logged[] = [];
  let spans: RecordedSpans;
  let opa: OpaServer;
  let backend: RunningBackend;
  let olivia: string;

  beforeAll(async () => {
    spans = recordSpans();
    const headers = ['traceparent', 'tracestate', 'baggage'];
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies'],
      args: [
        '--set=decision_logs.console=true',
        `--set=decision_logs.request_context.http.headers={${headers.join(',')}}`,
      ],
    });
    let rest = '';
    const read = (chunk: string): void => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.includes('"decision_id"') && line.includes('"input"'))
          logged.push(JSON.parse(line) as Logged);
      }
    };
    opa.process.stderr!.on('data', read);
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: {
            type: 'opa',
            baseUrl: opa.url,
            entrypoint: 'backstage_policy/decision',
          },
        },
        routes: [{ prefix: 'traced', sources: ['allow', 'opa'] }],
      },
      // As a host's instrumentation of HTTP does, with what a caller sends.
      configure: ({ app }) => {
        app.use((request, response, next) => {
          const from = propagation.extract(context.active(), request.headers);
          const span = trace.getTracer('host').startSpan(request.path, {}, from);
          response.on('close', () => span.end());
          context.with(trace.setSpan(from, span), next);
        });
      },
    });
    olivia = await backend.signIn('olivia');
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
    await spans.stop();
  });

  const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

  it('goes from the request to the decision, its sources, and OPA', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const { results } = await authorize(backend.url, olivia, [basic('traced.thing')], {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      tracestate: 'vendor=x',
      baggage: 'user=olivia',
    });
    expect(results).toEqual(['DENY']);
    const ofTrace = (name: string) =>
      spans.named(name).filter(span => span.spanContext().traceId === traceId);
    await until(() => ofTrace('/api/permission/authorize').length > 0, 'it has ended');
    const [request] = ofTrace('/api/permission/authorize');
    const [decision] = ofTrace('policy_router.decision');
    const [first, second] = ofTrace('policy_router.source');
    expect(decision!.parentSpanContext?.spanId).toBe(idOf(request));
    expect(first!.parentSpanContext?.spanId).toBe(idOf(decision));
    expect(second!.parentSpanContext?.spanId).toBe(idOf(decision));
    expect(second!.attributes['policy_router.source']).toBe('opa');

    await until(() => logged.length > 0, 'OPA has logged its decision');
    expect(logged).toHaveLength(1);
    expect(logged[0]!.input.permission.name).toBe('traced.thing');
    expect(logged[0]!.request_context?.http?.headers).toEqual({
      traceparent: [`00-${traceId}-${idOf(second)}-01`],
      tracestate: ['vendor=x'],
    });
  });
});
