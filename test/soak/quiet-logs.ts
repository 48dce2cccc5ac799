import { EventEmitter, once } from 'node:events';
import {
  coreServices,
  createServiceFactory,
  type BackendFeature,
  type LoggerService,
} from '@backstage/backend-plugin-api';

/** How long to wait for a line, in milliseconds. */
const WAIT = 90_000;

/** A logger that counts but keeps nothing, so that the soak measures only the router's memory. */
export class QuietLogs {
  warnings = 0;
  errors = 0;
  /** Counts the messages of level info and above. */
  bytes = 0;
  private readonly events = new EventEmitter().setMaxListeners(0);

  logger(): LoggerService {
    const write =
      (count: () => void) =>
      (message: string): void => {
        count();
        this.bytes += message.length;
        this.events.emit('line', message);
      };
    return {
      error: write(() => this.errors++),
      warn: write(() => this.warnings++),
      info: write(() => {}),
      debug: () => {},
      child: () => this.logger(),
    };
  }

  /** Waits for a line, from now on, with one of the texts. */
  async next(...texts: string[]): Promise<string> {
    const signal = AbortSignal.timeout(WAIT);
    for (;;) {
      const [line] = (await once(this.events, 'line', { signal })) as [string];
      if (texts.some(text => line.includes(text))) return line;
    }
  }

  /** Makes a backend log here. */
  feature(): BackendFeature {
    return createServiceFactory({
      service: coreServices.rootLogger,
      deps: {},
      factory: () => this.logger(),
    });
  }
}
