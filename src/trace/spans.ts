/**
 * Spans by OpenTelemetry's API: one for each decision, below the span that is active when it is
 * asked for, and one for each source that is asked. They say nothing about the user, and neither
 * reasons nor conditions. An SDK that throws changes no decision.
 */
import {
  context,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { attempt } from '../lib/attempt';
import type { Failure } from '../verdict';
import { decidingFailure, standbyOf } from './facts';
import type { DecisionRecord, SourceRecord } from './record';
import { scope } from './scope';

/** Opens the spans of decisions. */
export class Spans {
  private readonly tracer = attempt(() => trace.getTracer(scope.name, scope.version));

  /** Undefined if nobody records it, as without an SDK; then its sources have no spans either. */
  decision(): DecisionSpan | undefined {
    return attempt(() => {
      const parent = context.active();
      const span = this.tracer?.startSpan('policy_router.decision', {}, parent);
      return span?.isRecording()
        ? new DecisionSpan(span, parent, this.tracer!)
        : undefined;
    });
  }
}

class OpenSpan {
  readonly context: Context;

  constructor(
    protected readonly span: Span,
    parent: Context,
  ) {
    this.context = trace.setSpan(parent, span);
  }

  protected close(attributes: Attributes, failure: Failure | undefined): void {
    attempt(() => this.span.setAttributes(attributes));
    if (failure) {
      attempt(() =>
        this.span.setStatus({ code: SpanStatusCode.ERROR, message: failure.code }),
      );
    }
    attempt(() => this.span.end());
  }
}

export class DecisionSpan extends OpenSpan {
  constructor(
    span: Span,
    parent: Context,
    private readonly tracer: Tracer,
  ) {
    super(span, parent);
  }

  /** For a source of the route that is about to be asked. */
  source(): SourceSpan | undefined {
    return attempt(() => {
      const span = this.tracer.startSpan('policy_router.source', {}, this.context);
      return new SourceSpan(span, this.context);
    });
  }

  end(record: Readonly<DecisionRecord>): void {
    const { permission, route = 'none', result, observed } = record;
    const failure = decidingFailure(record);
    const attributes = {
      ...(permission && { 'policy_router.permission': permission.name }),
      'policy_router.route': route,
      'policy_router.result': result,
      ...(observed && { 'policy_router.observed.answer': observed.result }),
      ...attributesOf(failure),
    };
    this.close(attributes, failure);
  }
}

export class SourceSpan extends OpenSpan {
  end(record: SourceRecord): void {
    const { source, verdict, endpoint, attempts } = record;
    const standby = standbyOf(record);
    const place = endpoint ?? attempts?.at(-1)?.endpoint;
    // Where a standby or another endpoint has answered, the attributes name what it stood in for.
    const first = record.failure ?? attempts?.find(({ failure }) => failure)?.failure;
    const attributes = {
      'policy_router.source': source,
      'policy_router.result': verdict,
      ...(place !== undefined && { 'policy_router.endpoint': place }),
      ...(standby !== undefined && { 'policy_router.standby': standby }),
      ...attributesOf(first),
    };
    this.close(attributes, record.failure);
  }
}

const attributesOf = (failure: Failure | undefined): Attributes =>
  failure
    ? {
        'policy_router.failure.class': failure.class,
        'policy_router.failure.code': failure.code,
      }
    : {};

/**
 * Does the work once, with the span as the active one if there is one.
 *
 * @throws as `work` does, and never otherwise.
 */
export function within<T>(span: OpenSpan | undefined, work: () => T): T {
  return span ? inContext(span.context, work) : work();
}

/** The same for any context. A context manager may throw before the work, or after it. */
export function inContext<T>(active: Context, work: () => T): T {
  let outcome: (() => T) | undefined;
  attempt(() =>
    context.with(active, () => {
      outcome ??= outcomeOf(work);
    }),
  );
  return outcome ? outcome() : work();
}

function outcomeOf<T>(work: () => T): () => T {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
