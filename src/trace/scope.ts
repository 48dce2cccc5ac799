import { createRequire } from 'node:module';
import { attempt } from '../lib/attempt';

/** By which OpenTelemetry names who records: this package, and its version. */
export interface Scope {
  readonly name: string;
  /** Undefined where it cannot be read, as in a bundle. */
  readonly version: string | undefined;
}

export const scope: Scope = {
  name: 'backstage-plugin-permission-backend-module-policy-router',
  version: attempt(
    () =>
      (createRequire(__filename)('../../package.json') as { version: string }).version,
  ),
};
