import { EventEmitter, once } from 'node:events';
import {
  coreServices,
  createServiceFactory,
  type BackendFeature,
  type LoggerService,
} from '@backstage/backend-plugin-api';

/** How long to wait for a line, in milliseconds: enough on a busy machine, less than a test's limit. */
const WAIT = 90_000;

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly meta: Record<string, unknown>;
}

/** A logger that keeps its lines and lets a test wait for one. */
export class CapturedLogs {
  readonly lines: LogLine[] = [];
  private readonly events = new EventEmitter().setMaxListeners(0);

  logger(bound: Record<string, unknown> = {}): LoggerService {
    const write =
      (level: LogLine['level']) =>
      (message: string, meta: object | Error = {}): void => {
        this.lines.push({
          level,
          message: String(message),
          meta: { ...bound, ...meta },
        });
        this.events.emit('line');
      };
    return {
      error: write('error'),
      warn: write('warn'),
      info: write('info'),
      debug: write('debug'),
      child: meta => this.logger({ ...bound, ...meta }),
    };
  }

  /**
   * The first line from `since` on that contains the text; waits for it if necessary.
   *
   * @throws Error with the captured lines if there is no such line in time.
   */
  async waitFor(text: string, since = 0): Promise<LogLine> {
    const signal = AbortSignal.timeout(WAIT);
    for (;;) {
      const found = this.lines.slice(since).find(line => line.message.includes(text));
      if (found) return found;
      try {
        await once(this.events, 'line', { signal });
      } catch {
        const lines = this.lines
          .slice(since)
          .map(line => `${line.level} ${line.message}`);
        throw new Error(
          `no line contained '${text}'; the lines were:\n${lines.join('\n')}`,
        );
      }
    }
  }

  /** The module that makes a backend log here. */
  feature(): BackendFeature {
    return createServiceFactory({
      service: coreServices.rootLogger,
      deps: {},
      factory: () => this.logger(),
    });
  }
}
