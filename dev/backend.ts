import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createBackend } from '@backstage/backend-defaults';
import {
  rootHttpRouterServiceFactory,
  type RootHttpRouterConfigureContext,
} from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { ConfigSources } from '@backstage/config-loader';
import authPlugin from '@backstage/plugin-auth-backend';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import { createPolicyRouter } from '../src/feature';
import type { TraceSink } from '../src/trace/record';
import { databaseClosedOnShutdown } from './database';
import { personasAuthModule } from './personas';

export interface SampleBackendOptions {
  /** app-config files, merged in this order. */
  readonly configFiles: readonly string[];
  /** Receives every decision trace. */
  readonly onTrace?: TraceSink;
  /** The permission policy, for tests; by default the policy router. */
  readonly policy?: BackendFeature;
  /** Further features, for tests. */
  readonly features?: readonly BackendFeature[];
  /** Sets up the root HTTP router before its defaults are applied, for tests. */
  readonly configure?: (context: RootHttpRouterConfigureContext) => void;
}

export interface SampleBackend {
  readonly url: string;
  /** Returns a token for a user in the catalog; waits until the catalog has ingested the user. */
  signIn(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** A real Backstage backend: permission, catalog, auth, an in-memory database and this policy. */
export async function startSampleBackend(
  options: SampleBackendOptions,
): Promise<SampleBackend> {
  let server: Server | undefined;
  const url = (): string => {
    const address = server?.address() as AddressInfo | null | undefined;
    return `http://127.0.0.1:${address?.port ?? 0}`;
  };

  const backend = createBackend();
  const argv = options.configFiles.flatMap(file => ['--config', file]);
  // As in the default factory, except that its file watchers can be closed.
  const config = await ConfigSources.toConfig(ConfigSources.default({ argv }));
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => config,
    }),
  );
  backend.add(
    rootHttpRouterServiceFactory({
      configure: context => {
        server = context.server;
        options.configure?.(context);
        context.applyDefaults();
      },
    }),
  );
  backend.add(discoveryAt(url));
  backend.add(databaseClosedOnShutdown);
  backend.add(authPlugin);
  backend.add(personasAuthModule);
  backend.add(catalogPlugin);
  backend.add(permissionPlugin);
  backend.add(
    options.policy ?? createPolicyRouter(options.onTrace ? [options.onTrace] : []),
  );
  for (const feature of options.features ?? []) backend.add(feature);
  const stop = async (): Promise<void> => {
    await backend.stop();
    config.close();
  };
  try {
    await backend.start();
  } catch (error) {
    // Plugins that started before the failure would keep the process alive.
    await stop().catch(() => {});
    throw error;
  }

  return {
    url: url(),
    signIn: name => signIn(url(), name),
    stop,
  };
}

/** Makes plugins find each other at the port that was actually bound, so that port 0 works. */
const discoveryAt = (url: () => string) =>
  createServiceFactory({
    service: coreServices.discovery,
    deps: {},
    async factory() {
      const baseUrl = async (pluginId: string): Promise<string> =>
        `${url()}/api/${pluginId}`;
      return { getBaseUrl: baseUrl, getExternalBaseUrl: baseUrl };
    },
  });

const SIGN_IN_ATTEMPTS = 300;

/** Returns a token for a user in the catalog; waits until the catalog has ingested the user. */
export async function signIn(url: string, name: string): Promise<string> {
  for (let attempt = 0; attempt < SIGN_IN_ATTEMPTS; attempt++) {
    const response = await fetch(`${url}/api/auth/personas/refresh?as=${name}`, {
      method: 'POST',
    });
    if (response.ok) {
      const body = (await response.json()) as { backstageIdentity: { token: string } };
      return body.backstageIdentity.token;
    }
    // The catalog does not announce that it has ingested an entity, so ask again.
    await response.arrayBuffer();
    await delay(100);
  }
  throw new Error(`user '${name}' did not appear in the catalog within 30 seconds`);
}
