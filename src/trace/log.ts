import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { quote } from '../quote';
import type { TraceSink } from './trace';

/** One debug line a decision; the logger formats it only where debug is on. */
export const logTraces =
  (logger: LoggerService): TraceSink =>
  trace => {
    logger.debug(
      `${trace.result} ${trace.permission ? quote(trace.permission.name) : '(unreadable permission)'}`,
      { decision: trace } as unknown as JsonObject,
    );
  };
