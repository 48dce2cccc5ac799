import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { quote } from '../lib/quote';
import { givenBy } from './facts';
import type { TraceSink } from './record';

/** Logs one debug line per decision; the logger formats it only if debug logging is on. */
export const logTraces =
  (logger: LoggerService): TraceSink =>
  trace => {
    const line = `${givenBy(trace).result} ${trace.permission ? quote(trace.permission.name) : '(unreadable permission)'}`;
    try {
      logger.debug(line, { decision: trace } as unknown as JsonObject);
    } catch {
      // A response may be nested too deeply for the logger.
      logger.debug(`${line} (the trace could not be logged)`);
    }
  };
