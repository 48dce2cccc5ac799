/** The trace context that a question carries to OPA: the two headers of W3C, nothing else. */
import {
  context,
  createContextKey,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  trace,
  type TextMapSetter,
} from '@opentelemetry/api';
import { attempt } from '../../lib/attempt';
import { inContext } from '../../trace/spans';

export interface TraceHeaders {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** https://www.w3.org/TR/trace-context: version 00. */
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** The browser of a user may have sent it, so only what is legal in a header. */
const TRACESTATE = /^[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?$/;

/** A propagator of the host may set more, such as its baggage, which is not for OPA. */
const setter: TextMapSetter<Map<string, string>> = {
  set: (carrier, key, value) => void carrier.set(key.toLowerCase(), value),
};

/** Of the active span; undefined without a valid one, as without an SDK. Never throws. */
export const traceHeaders = (): TraceHeaders | undefined => attempt(readHeaders);

function readHeaders(): TraceHeaders | undefined {
  const active = context.active();
  if (active === ROOT_CONTEXT) return undefined;
  const spanContext = trace.getSpanContext(active);
  if (!spanContext || !isSpanContextValid(spanContext)) return undefined;
  const injected = new Map<string, string>();
  propagation.inject(active, injected, setter);
  const traceparent = injected.get('traceparent');
  const tracestate = injected.get('tracestate');
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined;
  return tracestate !== undefined && TRACESTATE.test(tracestate)
    ? { traceparent, tracestate }
    : { traceparent };
}

/** As `suppressTracing` of OpenTelemetry's SDK sets it. */
const SUPPRESSED = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/**
 * Does the work where the host's instrumentation of HTTP clients adds nothing to the request:
 * neither a second `traceparent` nor the baggage.
 */
export function withoutInstrumentation<T>(work: () => T): T {
  const active = attempt(() => context.active()) ?? ROOT_CONTEXT;
  if (active === ROOT_CONTEXT) return work();
  const suppressed = attempt(() => active.setValue(SUPPRESSED, true));
  return suppressed ? inContext(suppressed, work) : work();
}
