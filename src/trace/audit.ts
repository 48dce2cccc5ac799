import type { AuditorService, LoggerService } from '@backstage/backend-plugin-api';
import { decisionEvent, SCHEMA_VERSION, waysOf } from './audit-event';
import { OutageEvents } from './audit-outages';
import { AuditWriter, type AuditStatus } from './audit-writer';
import { anyOutageOf, givenBy, isOwnDenial, timeOf } from './facts';
import type { TraceSink } from './record';

/** Which decisions are audited. `denials`: also what fail-open, a bypass or a standby allowed. */
type Mode = 'all' | 'denials' | 'off';

/**
 * The audit, by Backstage's auditor: one event per decision after it is made, or for the decisions
 * of an outage one per kind and minute, unless all are audited.
 */
export class Audit {
  private readonly writer: AuditWriter;
  private readonly outages: OutageEvents;
  private closed = false;

  constructor(
    auditor: AuditorService,
    logger: LoggerService,
    private mode: Mode,
  ) {
    this.writer = new AuditWriter(auditor, logger);
    this.outages = new OutageEvents(event => this.writer.write(event));
  }

  readonly sink: TraceSink = record => {
    const isFull = this.mode === 'all';
    if (this.mode === 'off') return;
    const ways = waysOf(record);
    const { failOpen, standby, bypass } = ways;
    const isDenied = record.result === 'DENY' || givenBy(record).result === 'DENY';
    if (!isFull && !isDenied && !failOpen && !standby && !bypass) return;
    // A policy that denies while something else is down is no part of the outage.
    const isCounted = !isFull && !this.closed && !isOwnDenial(record);
    const outage = isCounted ? anyOutageOf(record) : undefined;
    if (outage) this.outages.add(record, outage, ways);
    else this.writer.write(decisionEvent(record, ways, isFull));
  };

  /** Of the events; for metrics and operators. */
  status(): AuditStatus {
    return this.writer.status();
  }

  /**
   * Another config is in use.
   *
   * @param previous - its digest; the same one if only the visibility has changed.
   */
  reloaded(previous: string, next: string, mode: Mode): void {
    if (mode !== this.mode) this.outages.flush();
    const isAudited = mode !== 'off' || this.mode !== 'off';
    this.mode = mode;
    if (previous === next || !isAudited) return;
    this.writer.write({
      eventId: 'table-changed',
      severityLevel: 'high',
      meta: { schemaVersion: SCHEMA_VERSION, at: timeOf(Date.now()), previous, next },
    });
  }

  /** Writes what has been counted; no timer is left. */
  close(): void {
    this.closed = true;
    this.outages.flush();
  }
}
