import type { JsonObject } from '@backstage/types';
import {
  decisionOf,
  flagsOf,
  SCHEMA_VERSION,
  severityOf,
  type AuditEvent,
  type Ways,
} from './audit-event';
import { timeOf, type Outage } from './facts';
import type { DecisionRecord } from './record';

/** Milliseconds from one event of a kind to the next. */
const PERIOD = 60_000;
/** Once there are this many kinds, those of one class, result and way count as one. */
const MAX_KINDS = 100;

interface Kind {
  /** What its decisions have in common. */
  readonly common: JsonObject;
  readonly severityLevel: AuditEvent['severityLevel'];
  /** Of those since the last event. */
  count: number;
  from: number;
  to: number;
  timer: NodeJS.Timeout;
}

/**
 * The decisions of an outage, which may be thousands a minute: the first of a kind is an event at
 * once, then there is one each minute with the count of the others, until a minute has none.
 */
export class OutageEvents {
  private readonly kinds = new Map<string, Kind>();

  constructor(private readonly write: (event: AuditEvent) => void) {}

  add(record: DecisionRecord, { source, failure }: Outage, ways: Ways): void {
    const { result, at } = record;
    const { class: failureClass, code } = failure;
    const base = { class: failureClass, result, ...flagsOf(ways) };
    const { rough: observedRough, precise: observedPrecise } = observedIn(record);
    const rough = { ...base, ...observedRough };
    const named = source === undefined ? {} : { source };
    const precise = { ...named, code, ...base, ...observedPrecise };
    const isRoom =
      this.kinds.size < MAX_KINDS || this.kinds.has(JSON.stringify(precise));
    const common: JsonObject = isRoom ? precise : { ...rough, code: 'OTHER' };
    const key = JSON.stringify(common);
    const known = this.kinds.get(key);
    if (known) {
      // Records come in the order in which decisions ended.
      known.from = known.count === 0 ? at : Math.min(known.from, at);
      known.to = known.count === 0 ? at : Math.max(known.to, at);
      known.count++;
      return;
    }
    const severityLevel = severityOf(ways, record);
    const timer = this.nextPeriod(key);
    this.kinds.set(key, { common, severityLevel, count: 0, from: at, to: at, timer });
    const meta = { ...common, count: 1, decision: decisionOf(record, ways) };
    this.write(outageEvent(severityLevel, meta));
  }

  /** Writes what is counted so far, and begins again. */
  flush(): void {
    for (const kind of this.kinds.values()) {
      clearTimeout(kind.timer);
      this.writeCount(kind);
    }
    this.kinds.clear();
  }

  private nextPeriod(key: string): NodeJS.Timeout {
    return setTimeout(() => this.endPeriod(key), PERIOD).unref();
  }

  private endPeriod(key: string): void {
    const kind = this.kinds.get(key);
    if (!kind) return;
    if (kind.count === 0) {
      this.kinds.delete(key);
      return;
    }
    kind.timer = this.nextPeriod(key);
    this.writeCount(kind);
  }

  private writeCount(kind: Kind): void {
    const { common, severityLevel, count, from, to } = kind;
    if (count === 0) return;
    kind.count = 0;
    const meta = { ...common, count, from: timeOf(from), to: timeOf(to) };
    this.write(outageEvent(severityLevel, meta));
  }
}

/** What was given in place of the decisions of a kind, and by whom. */
function observedIn({
  observed,
}: DecisionRecord): Readonly<Record<'rough' | 'precise', JsonObject>> {
  if (!observed) return { rough: {}, precise: {} };
  const { answer, result } = observed;
  return { rough: { observed: { result } }, precise: { observed: { answer, result } } };
}

const outageEvent = (
  severityLevel: AuditEvent['severityLevel'],
  meta: JsonObject,
): AuditEvent => ({
  eventId: 'outage',
  severityLevel,
  meta: { schemaVersion: SCHEMA_VERSION, ...meta },
});
