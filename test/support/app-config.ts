import { resolve } from 'node:path';
import { stringify } from 'yaml';

/** A value of `backend.database`: gone with the process. */
export const SQLITE = { client: 'better-sqlite3', connection: ':memory:' };

export const SAMPLE_CATALOG = {
  rules: [{ allow: ['Component', 'Group', 'User'] }],
  locations: [{ type: 'file', target: resolve('dev/catalog/entities.yaml') }],
};

export interface AppConfig {
  /** Merged over the rest of `backend`. */
  readonly backend?: object;
  /** In place of the sample's catalog. */
  readonly catalog?: object;
  /** In place of `enabled: true`. */
  readonly permission?: {
    readonly policyRouter?: object | undefined;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** The app-config.yaml of the sample backend on a free port, with these changes. */
export const appConfig = ({
  backend,
  catalog = SAMPLE_CATALOG,
  permission = { enabled: true },
  ...rest
}: AppConfig = {}): string =>
  stringify({
    app: { baseUrl: 'http://localhost:7007' },
    backend: {
      baseUrl: 'http://127.0.0.1:7007',
      listen: { host: '127.0.0.1', port: 0 },
      database: SQLITE,
      ...backend,
    },
    auth: { providers: { personas: {} } },
    catalog,
    permission,
    ...rest,
  });
