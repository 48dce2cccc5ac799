import type { LoggerService } from '@backstage/backend-plugin-api';

/** A command says itself what there is to say. */
export const SILENT: LoggerService = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => SILENT,
};
