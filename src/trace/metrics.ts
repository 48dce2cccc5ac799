/**
 * Metrics by OpenTelemetry's API; docs/metrics.md lists them. They cost nothing where the host has
 * set up no SDK, and an SDK that throws changes nothing. Labels come from the config, or are one
 * of a few fixed words: nothing that a caller says can make a series.
 */
import {
  createNoopMeter,
  metrics,
  type Attributes,
  type BatchObservableCallback,
  type BatchObservableResult,
  type Meter,
} from '@opentelemetry/api';
import { attempt } from '../lib/attempt';
import type { Failure } from '../verdict';
import {
  answeringFailure,
  askedIn,
  decidingFailure,
  givenBy,
  isFailOpen,
  standbyOf,
} from './facts';
import { scope } from './scope';
import type { DecisionRecord, SourceRecord, TraceSink } from './record';

const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2 } as const;

/** Of the histograms, in seconds. */
const BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  2.5, 5, 10,
];

/**
 * Milliseconds for which a source that has left the config is reported as idle. SDKs repeat the
 * last value of a series for good: a breaker that was open would be open forever.
 */
const FAREWELL = 300_000;

/** How a source is, at one of its endpoints. */
export interface SourceReading {
  readonly source: string;
  /** Its URL, if the source has several. */
  readonly endpoint: string | undefined;
  /** Set if it must be waited for. */
  readonly remote?: {
    readonly breaker: { readonly state: keyof typeof BREAKER_STATES };
    readonly inFlight: number;
    readonly queued: number;
  };
}

/** What is read when the metrics are. */
export interface Measured {
  readonly sources: () => readonly SourceReading[];
  /** Records of decisions that reached no sink. */
  readonly recordsLost: () => number;
  /** Audit events that were dropped; default: none are made. */
  readonly auditDropped?: (() => number) | undefined;
}

/** What came of a changed config. */
export type ReloadOutcome = 'used' | 'rejected';

export interface RouterMetrics {
  /** Counts the decisions. */
  readonly sinks: readonly TraceSink[];
  /** Counts a reload; never throws. */
  reloaded(outcome: ReloadOutcome): void;
  /** Counts a comparison of a decision of this route; never throws. */
  compared(route: string, outcome: string): void;
  /** Nothing is reported any more; never throws. */
  close(): void;
}

const NOTHING: RouterMetrics = {
  sinks: [],
  reloaded: () => {},
  compared: () => {},
  close: () => {},
};

/**
 * For a router that has just read its config. Never throws.
 *
 * The API has no meters that begin to work later: an SDK must be set up before the router is.
 */
export function measure(measured: Measured): RouterMetrics {
  return (
    attempt(() => {
      const meter = metrics.getMeter(scope.name, scope.version);
      return meter === createNoopMeter() ? NOTHING : new Measuring(meter, measured);
    }) ?? NOTHING
  );
}

class Measuring implements RouterMetrics {
  private readonly instruments: Instruments;
  /** When the config in use was last found good, in seconds since 1970. */
  private lastGood = secondsNow();
  private isRejected = false;
  private readonly gone = new Map<string, Farewell>();
  private known = new Map<string, Attributes>();
  readonly sinks: readonly TraceSink[] = [record => this.count(record)];

  constructor(
    private readonly meter: Meter,
    private readonly measured: Measured,
  ) {
    this.instruments = instrumentsOf(meter);
    meter.addBatchObservableCallback(this.observe, observablesOf(this.instruments));
    // A rate needs a value before the first one that is counted.
    attempt(() => {
      for (const outcome of ['used', 'rejected'] satisfies ReloadOutcome[]) {
        this.instruments.reloads.add(0, { outcome });
      }
      this.beginSources();
    });
  }

  reloaded(outcome: ReloadOutcome): void {
    this.isRejected = outcome === 'rejected';
    if (outcome === 'used') this.lastGood = secondsNow();
    attempt(() => this.instruments.reloads.add(1, { outcome }));
    attempt(() => this.beginSources());
  }

  compared(route: string, outcome: string): void {
    attempt(() => this.instruments.compared.add(1, { route, outcome }));
  }

  close(): void {
    attempt(() =>
      this.meter.removeBatchObservableCallback(
        this.observe,
        observablesOf(this.instruments),
      ),
    );
  }

  private beginSources(): void {
    const known = new Map<string, Attributes>();
    for (const { source, endpoint, remote } of this.measured.sources()) {
      if (!remote) continue;
      this.instruments.failOpen.add(0, { source });
      this.instruments.standby.add(0, { source });
      const labels = labelsOf({ source, endpoint });
      known.set(keyOf(labels), labels);
    }
    const until = performance.now() + FAREWELL;
    for (const [key, labels] of this.known) this.gone.set(key, { labels, until });
    for (const key of known.keys()) this.gone.delete(key);
    this.known = known;
  }

  private count(record: Readonly<DecisionRecord>): void {
    const { instruments } = this;
    const route = record.route ?? 'none';
    const labels = {
      route,
      result: record.result,
      ...classOf(decidingFailure(record)),
      ...(record.observed ? { observed: 'true' } : {}),
    };
    const given = givenBy(record);
    if (record.observed) {
      instruments.observed.add(1, {
        route,
        result: record.result,
        answer: given.result,
        ...classOf(answeringFailure(record.observed)),
      });
    }
    instruments.decisions.add(1, labels);
    instruments.decisionDuration.record(record.milliseconds / 1000, labels);
    if (given.withoutResource && given.result === 'ALLOW') {
      instruments.withoutResource.add(1, { route });
    }
    for (const source of askedIn(record)) {
      if (source.verdict === 'NOT_ASKED') continue;
      this.countAsked(source);
      // What is only recorded has opened nothing.
      if (isFailOpen(source) && record.result !== 'DENY' && !record.observed) {
        instruments.failOpen.add(1, { source: source.source });
      }
      if (standbyOf(source) !== undefined) {
        instruments.standby.add(1, { source: source.source });
      }
    }
  }

  private countAsked(source: SourceRecord): void {
    for (const asked of source.attempts ?? [source]) {
      const labels = labelsOf(asked);
      this.instruments.sourceDuration.record((asked.milliseconds ?? 0) / 1000, labels);
      if (asked.failure) {
        this.instruments.sourceFailures.add(1, {
          ...labels,
          ...classOf(asked.failure),
        });
      }
    }
  }

  private readonly observe: BatchObservableCallback = result => {
    const { recordsLost, auditDropped, lastGood, rejected } = this.instruments;
    result.observe(lastGood, this.lastGood);
    result.observe(rejected, this.isRejected ? 1 : 0);
    result.observe(recordsLost, this.measured.recordsLost());
    result.observe(auditDropped, this.measured.auditDropped?.() ?? 0);
    for (const { source, endpoint, remote } of this.measured.sources()) {
      if (remote) this.observeSource(result, labelsOf({ source, endpoint }), remote);
    }
    for (const [key, { labels, until }] of this.gone) {
      if (performance.now() < until) this.observeSource(result, labels, IDLE);
      else this.gone.delete(key);
    }
  };

  private observeSource(
    result: BatchObservableResult,
    labels: Attributes,
    { breaker, inFlight, queued }: NonNullable<SourceReading['remote']>,
  ): void {
    const { instruments } = this;
    result.observe(instruments.breakerState, BREAKER_STATES[breaker.state], labels);
    result.observe(instruments.inFlight, inFlight, labels);
    result.observe(instruments.queued, queued, labels);
  }
}

/** A source at an endpoint that has left the config. */
interface Farewell {
  readonly labels: Attributes;
  readonly until: number;
}

const IDLE: NonNullable<SourceReading['remote']> = {
  breaker: { state: 'closed' },
  inFlight: 0,
  queued: 0,
};

type Instruments = ReturnType<typeof instrumentsOf>;

function instrumentsOf(meter: Meter) {
  const seconds = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS } };
  return {
    decisions: meter.createCounter('policy_router.decisions', {
      description: 'Decisions',
      unit: '{decision}',
    }),
    decisionDuration: meter.createHistogram('policy_router.decision.duration', {
      description: 'Time of a whole decision',
      ...seconds,
    }),
    failOpen: meter.createCounter('policy_router.fail_open.decisions', {
      description: 'Decisions that were not denied because a source failed open',
      unit: '{decision}',
    }),
    standby: meter.createCounter('policy_router.standby.decisions', {
      description: 'Decisions in which a standby answered in place of a source',
      unit: '{decision}',
    }),
    withoutResource: meter.createCounter(
      'policy_router.asked_without_resource.decisions',
      {
        description: 'Decisions allowed by whenAskedWithoutResource',
        unit: '{decision}',
      },
    ),
    compared: meter.createCounter('policy_router.shadow.decisions', {
      description: 'Decisions compared with those of another source, see shadow',
      unit: '{decision}',
    }),
    observed: meter.createCounter('policy_router.observed.decisions', {
      description: 'Decisions that were only recorded, while another source answered',
      unit: '{decision}',
    }),
    sourceDuration: meter.createHistogram('policy_router.source.duration', {
      description: 'Time from asking a source to its answer, the wait included',
      ...seconds,
    }),
    sourceFailures: meter.createCounter('policy_router.source.failures', {
      description: 'Questions to a source that failed',
      unit: '{question}',
    }),
    inFlight: meter.createObservableUpDownCounter('policy_router.source.in_flight', {
      description: 'Questions to a source that are under way',
      unit: '{question}',
    }),
    queued: meter.createObservableUpDownCounter('policy_router.source.queued', {
      description: 'Questions that wait for a slot of a source',
      unit: '{question}',
    }),
    breakerState: meter.createObservableGauge('policy_router.source.breaker.state', {
      description: 'Circuit breaker: 0 closed, 1 half-open, 2 open',
    }),
    reloads: meter.createCounter('policy_router.config.reloads', {
      description: 'Changed configs',
      unit: '{reload}',
    }),
    lastGood: meter.createObservableGauge('policy_router.config.last_good', {
      description: 'When a config was last taken into use, in seconds since 1970',
      unit: 's',
    }),
    rejected: meter.createObservableGauge('policy_router.config.rejected', {
      description: 'Whether the latest config was rejected: 0 no, 1 yes',
    }),
    auditDropped: meter.createObservableCounter('policy_router.audit.dropped', {
      description: 'Audit events that were dropped',
      unit: '{event}',
    }),
    recordsLost: meter.createObservableCounter('policy_router.records.lost', {
      description: 'Records of decisions that reached no log, audit or metric',
      unit: '{record}',
    }),
  };
}

const observablesOf = ({
  lastGood,
  rejected,
  recordsLost,
  auditDropped,
  breakerState,
  inFlight,
  queued,
}: Instruments) => [
  ...[lastGood, rejected, recordsLost, auditDropped],
  ...[breakerState, inFlight, queued],
];

const classOf = (failure: Failure | undefined): Attributes =>
  failure ? { failure_class: failure.class } : {};

const labelsOf = ({
  source,
  endpoint,
}: Pick<SourceReading, 'source'> & { endpoint?: string | undefined }): Attributes =>
  endpoint === undefined ? { source } : { source, endpoint };

const keyOf = ({ source, endpoint }: Attributes): string =>
  JSON.stringify([source, endpoint]);

const secondsNow = (): number => Date.now() / 1000;
