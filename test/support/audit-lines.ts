import type { JsonObject } from '@backstage/types';
import type { CapturedLogs, LogLine } from './captured-logs';

/** What Backstage's auditor has logged. */
export interface AuditLine {
  readonly eventId: string;
  readonly level: LogLine['level'];
  readonly status: string;
  readonly meta: JsonObject;
}

/** The lines of the audit, of both kinds: those of an event that begins have no content. */
export const auditLines = (logs: CapturedLogs, since = 0): AuditLine[] =>
  logs.lines.slice(since).flatMap(({ level, meta, message }) =>
    meta.isAuditEvent === true && message.startsWith('permission.')
      ? [
          {
            eventId: String(meta.eventId),
            level,
            status: String(meta.status),
            meta: meta.meta ?? {},
          },
        ]
      : [],
  );

/** The events of the audit. */
export const auditEvents = (logs: CapturedLogs, since = 0): AuditLine[] =>
  auditLines(logs, since).filter(({ status }) => status === 'succeeded');
