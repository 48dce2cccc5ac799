/**
 * A Backstage backend of the benchmark, in a process of its own:
 *
 *   node backend-process.js <policy> --config <app-config file>
 *
 * It has the real permission and auth plugins, and tells its parent over IPC where it listens.
 */
import './without-cloud-sdks';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createBackend } from '@backstage/backend-defaults';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createBackendPlugin,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import authPlugin from '@backstage/plugin-auth-backend';
import { permissionRules } from '@backstage/plugin-catalog-backend/alpha';
import { catalogEntityPermissionResourceRef } from '@backstage/plugin-catalog-node/alpha';
import permissionPlugin from '@backstage/plugin-permission-backend';
import { databaseClosedOnShutdown } from '../../../dev/database';
import { signInByName } from '../../../dev/sign-in-by-name';
import { collectGarbage } from '../garbage';
import type { Asked, Told } from './messages';
import { featureOf, type PolicyName } from './policies';
import { CLAIMS, USER_REF } from './questions';

/** Longer than the benchmark, in milliseconds: no connection ends while it is measured. */
const KEPT_ALIVE = 3_600_000;

let server: Server | undefined;
const url = (): string =>
  `http://127.0.0.1:${(server?.address() as AddressInfo | null)?.port ?? 0}`;

/** A token as a plugin sends it that asks on behalf of its user. */
const tokenPlugin = createBackendPlugin({
  pluginId: 'bench',
  register(registration) {
    registration.registerInit({
      deps: {
        router: coreServices.httpRouter,
        auth: coreServices.auth,
        httpAuth: coreServices.httpAuth,
      },
      async init({ router, auth, httpAuth }) {
        router.use((request, response, next) => {
          httpAuth
            .credentials(request, { allow: ['user'] })
            .then(onBehalfOf =>
              auth.getPluginRequestToken({ onBehalfOf, targetPluginId: 'permission' }),
            )
            .then(token => response.json(token), next);
        });
      },
    });
  },
});

/** Publishes the rules of the catalog, so that the router checks conditions as it always does. */
const catalogPlugin = createBackendPlugin({
  pluginId: 'catalog',
  register(registration) {
    registration.registerInit({
      deps: { registry: coreServices.permissionsRegistry },
      async init({ registry }) {
        registry.addResourceType({
          resourceRef: catalogEntityPermissionResourceRef,
          permissions: [],
          rules: Object.values(permissionRules),
        });
      },
    });
  },
});

async function main(): Promise<void> {
  const backend = createBackend();
  backend.add(
    rootHttpRouterServiceFactory({
      configure: context => {
        server = context.server;
        server.keepAliveTimeout = KEPT_ALIVE;
        context.applyDefaults();
      },
    }),
  );
  const baseUrl = async (pluginId: string): Promise<string> =>
    `${url()}/api/${pluginId}`;
  backend.add(
    createServiceFactory({
      service: coreServices.discovery,
      deps: {},
      factory: async () => ({ getBaseUrl: baseUrl, getExternalBaseUrl: baseUrl }),
    }),
  );
  backend.add(databaseClosedOnShutdown);
  backend.add(authPlugin);
  backend.add(
    signInByName('bench', (_name, context) =>
      context.issueToken({ claims: { sub: USER_REF, ent: CLAIMS } }),
    ),
  );
  backend.add(permissionPlugin);
  backend.add(catalogPlugin);
  backend.add(tokenPlugin);
  backend.add(featureOf(process.argv[2] as PolicyName));
  await backend.start();
  tell({ is: 'listening', url: url() });
}

const tell = (message: Told): void => void process.send!(message);

process.on('message', (asked: Asked) => {
  if (asked === 'memory') {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    tell({ is: 'memory', bytes: heapUsed + external });
  } else {
    const { user, system } = process.cpuUsage();
    tell({ is: 'cpu', microseconds: user + system });
  }
});
process.once('disconnect', () => process.exit());

main().catch((error: unknown) => {
  tell({ is: 'failed', why: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.disconnect();
});
