import type { AuditorService, LoggerService } from '@backstage/backend-plugin-api';
import { errorNames } from '../lib/foreign-error';
import type { AuditEvent } from './audit-event';

/** Events that the auditor has not confirmed yet. */
const MAX_PENDING = 1000;
/** Milliseconds between two warnings. */
const QUIET_PERIOD = 60_000;

export interface AuditStatus {
  /** Events that the auditor has not confirmed yet; at most 1,000. */
  readonly pending: number;
  /** Events that it did not get, because too many were pending. */
  readonly dropped: number;
  /** Events that it refused: it threw or rejected. */
  readonly failed: number;
}

/**
 * Gives events to Backstage's auditor. What it does with them changes nothing here: an event that
 * it refuses is counted, and one that it never confirms keeps its place among the pending ones.
 */
export class AuditWriter {
  private pending = 0;
  private dropped = 0;
  private failed = 0;
  private lastWarned = -Infinity;
  private lostBefore = 0;

  constructor(
    private readonly auditor: AuditorService,
    private readonly logger: LoggerService,
  ) {}

  status(): AuditStatus {
    const { pending, dropped, failed } = this;
    return { pending, dropped, failed };
  }

  /** Never throws. */
  write(event: AuditEvent): void {
    if (this.pending >= MAX_PENDING) {
      this.dropped++;
      this.warn(`${MAX_PENDING} wait for the auditor`);
      return;
    }
    this.pending++;
    give(this.auditor, event).then(
      () => this.pending--,
      (error: unknown) => {
        this.pending--;
        this.failed++;
        this.warn(`the auditor failed with ${errorNames(error)}`);
      },
    );
  }

  private warn(why: string): void {
    const now = performance.now();
    if (now - this.lastWarned < QUIET_PERIOD) return;
    const lost = this.dropped + this.failed;
    const count = lost - this.lostBefore;
    this.lastWarned = now;
    this.lostBefore = lost;
    try {
      this.logger.warn(
        `${count === 1 ? '1 audit event is' : `${count} audit events are`} lost: ${why}`,
      );
    } catch {
      // A logger that fails loses its line only.
    }
  }
}

/**
 * Backstage logs what `createEvent` gets twice, when the event begins and when it has succeeded, so
 * all that matters goes into the second. Releases that know `suppressInitialEvent` log one line.
 */
async function give(
  auditor: AuditorService,
  { eventId, severityLevel, meta }: AuditEvent,
): Promise<void> {
  const options = { eventId, severityLevel, suppressInitialEvent: true };
  const event = await auditor.createEvent(options);
  await event.success({ meta });
}
