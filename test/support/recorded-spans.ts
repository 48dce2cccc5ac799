/** The spans of this process, by OpenTelemetry's own SDK. */
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace-base';

export interface RecordedSpans {
  /** Those that have ended and have this name, in the order of their ends. */
  named(name: string): ReadableSpan[];
  all(): ReadableSpan[];
  clear(): void;
  stop(): Promise<void>;
}

/** Sets up the SDK as a host does, baggage included. */
export function recordSpans(sampler?: Sampler): RecordedSpans {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler && { sampler }),
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({
      propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
    }),
  );
  return {
    named: name => exporter.getFinishedSpans().filter(span => span.name === name),
    all: () => exporter.getFinishedSpans(),
    clear: () => exporter.reset(),
    stop: async () => {
      trace.disable();
      context.disable();
      propagation.disable();
      await provider.shutdown();
    },
  };
}

/** Does the work in a span of its own, as a host's instrumentation of HTTP does. */
export function inSpan<T>(name: string, work: () => Promise<T>): Promise<T> {
  return trace.getTracer('host').startActiveSpan(name, async span => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
}
