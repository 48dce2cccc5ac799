import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import type { Permission } from '@backstage/plugin-permission-common';
import {
  startSampleBackend,
  type SampleBackend,
  type SampleBackendOptions,
} from '../../dev/backend';
import type { DecisionRecord } from '../../src/trace/record';
import { appConfig, SAMPLE_CATALOG, type AppConfig } from './app-config';
import { CapturedLogs } from './captured-logs';
import { patiently } from './patience';

export interface BackendOptions {
  /** The value of `permission.policyRouter`; where it sets no times, with patient ones. */
  readonly policyRouter?: object;
  /** Further app-config, merged over the rest. */
  readonly config?: AppConfig;
  /** Further app-config files, merged before `policyRouter`. */
  readonly configFiles?: readonly string[];
  /** The permission policy; by default the policy router. */
  readonly policy?: BackendFeature;
  /** Further plugins and modules. */
  readonly features?: readonly BackendFeature[];
  /** Sets up the root HTTP router before its defaults are applied. */
  readonly configure?: SampleBackendOptions['configure'];
}

export interface RunningBackend extends SampleBackend {
  readonly logs: CapturedLogs;
  readonly traces: DecisionRecord[];
  /** Its folder, which `stop` removes; `app-config.yaml` in it contains `policyRouter`. */
  readonly folder: string;
  writeConfig(policyRouter: object): Promise<void>;
}

interface PermissionConfig {
  readonly policyRouter?: object | undefined;
  readonly [key: string]: unknown;
}

/** The value of `permission`, with patient times. */
const patient = ({
  policyRouter,
  ...permission
}: PermissionConfig): PermissionConfig =>
  policyRouter === undefined
    ? permission
    : { ...permission, policyRouter: patiently(policyRouter) };

/** The default is once a second, and every test would wait that long at start. */
const EAGER = { stitchingStrategy: { pollingInterval: { milliseconds: 50 } } };

/** For longer than any test takes, in milliseconds. */
export const KEPT_ALIVE = 600_000;

/** The sample backend on a free port, with captured logs and traces. */
export async function startBackend(options: BackendOptions): Promise<RunningBackend> {
  const folder = await temporaryFolder();
  const logs = new CapturedLogs();
  const traces: DecisionRecord[] = [];
  const { catalog = SAMPLE_CATALOG, ...config } = options.config ?? {};
  const writeConfig = (policyRouter: object | undefined): Promise<void> =>
    writeFile(
      join(folder, 'app-config.yaml'),
      appConfig({
        ...config,
        permission: patient(config.permission ?? { enabled: true, policyRouter }),
        catalog: { ...EAGER, ...catalog },
      }),
    );
  await writeConfig(options.policyRouter);
  const configFiles = [...(options.configFiles ?? []), join(folder, 'app-config.yaml')];
  let server: Server | undefined;
  try {
    const backend = await startSampleBackend({
      configFiles,
      onTrace: trace => traces.push(trace),
      ...(options.policy ? { policy: options.policy } : {}),
      features: [logs.feature(), ...(options.features ?? [])],
      configure: context => {
        // A busy process would close a connection on which its own client has just asked again.
        server = context.server;
        server.keepAliveTimeout = KEPT_ALIVE;
        options.configure?.(context);
      },
    });
    return {
      ...backend,
      logs,
      traces,
      folder,
      writeConfig,
      stop: async () => {
        // The server also waits for connections on which no request was made yet.
        server?.closeAllConnections();
        await backend.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

export const temporaryFolder = (): Promise<string> =>
  mkdtemp(join(tmpdir(), 'policy-router-'));

export interface Question {
  readonly permission: Permission;
  readonly resourceRef?: string;
}

export const basic = (
  name: string,
  action?: 'create' | 'read' | 'update' | 'delete',
): Question => ({
  permission: { type: 'basic', name, attributes: action ? { action } : {} },
});

export const onEntity = (
  name: string,
  action: 'read' | 'update' | 'delete',
  resourceRef = 'component:default/payments-api',
): Question => ({
  permission: {
    type: 'resource',
    name,
    attributes: { action },
    resourceType: 'catalog-entity',
  },
  resourceRef,
});

export interface Authorized {
  readonly status: number;
  readonly results: readonly string[];
}

/** Asks `/api/permission/authorize` as a user, with all questions in one batch. */
export async function authorize(
  url: string,
  token: string | undefined,
  questions: readonly Question[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Authorized> {
  const items = questions.map((question, index) => ({
    id: String(index),
    ...question,
  }));
  const response = await fetch(`${url}/api/permission/authorize`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ items }),
  });
  const body = (await response.json()) as { items?: Array<{ result: string }> };
  // The records follow the answer, those of a large batch in several turns.
  for (let turns = 0; turns < 5; turns++) {
    await new Promise(resolve => setImmediate(resolve));
  }
  return {
    status: response.status,
    results: (body.items ?? []).map(item => item.result),
  };
}
