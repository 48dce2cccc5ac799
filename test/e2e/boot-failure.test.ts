/** Backstage can be configured to start without modules that failed. Then nothing may be allowed. */
import {
  createBackendModule,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { AuthorizeResult, PermissionClient } from '@backstage/plugin-permission-common';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { hostPolicy } from '../../src';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';

const ROUTER = {
  fallback: 'deny',
  routes: [{ prefix: 'tested', sources: ['deny'] }],
};

/** A policy module that allows everything, and may fail after it has set its policy. */
const openModule = (fails = false): BackendFeature =>
  createBackendModule({
    pluginId: 'permission',
    moduleId: 'open-policy',
    register(registration) {
      registration.registerInit({
        deps: { policy: policyExtensionPoint },
        async init({ policy }) {
          policy.setPolicy({ handle: async () => ({ result: AuthorizeResult.ALLOW }) });
          if (fails) throw new Error('the rest of the init failed');
        },
      });
    },
  });

const start = (
  policyRouter: object,
  features: readonly BackendFeature[],
): Promise<RunningBackend> =>
  startBackend({
    features,
    config: {
      backend: {
        startup: { default: { onPluginModuleBootFailure: 'continue' } },
      },
      permission: { enabled: true, policyRouter },
    },
  });

/** What Backstage's own client of permissions throws. */
async function clientError(url: string, token: string): Promise<unknown> {
  const client = new PermissionClient({
    config: new ConfigReader({ permission: { enabled: true } }),
    discovery: { getBaseUrl: async pluginId => `${url}/api/${pluginId}` },
  });
  const { permission } = basic('tested.x', 'read');
  return client.authorize([{ permission } as never], { token }).then(
    answer => answer,
    (error: unknown) => error,
  );
}

describe('with onPluginModuleBootFailure: continue, a backend', () => {
  it.each<[string, object, BackendFeature, string]>([
    [
      'another module set its policy first',
      ROUTER,
      openModule(),
      'another module has already set the permission policy',
    ],
    [
      "the router's config is invalid",
      { ...ROUTER, fallback: 'open' },
      openModule(),
      "permission.policyRouter.fallback: must be 'allow' or 'deny'",
    ],
  ])('authorizes nothing if %s', async (_what, router, feature, reason) => {
    const backend = await start(router, [feature]);
    try {
      const line = await backend.logs.waitFor('nothing is authorized');
      expect(line.level).toBe('error');
      expect(line.message).toContain(reason);
      const token = await backend.signIn('petra');
      const answer = await authorize(backend.url, token, [basic('tested.x', 'read')]);
      expect(answer).toEqual({ status: 503, results: [] });
      expect(await clientError(backend.url, token)).toMatchObject({
        name: 'ResponseError',
        statusCode: 503,
        cause: {
          name: 'ServiceUnavailableError',
          message: 'the policy router has not started, so nothing is authorized',
        },
      });
    } finally {
      await backend.stop();
    }
  });

  it('does not start if a hosted module has failed after setting its policy', async () => {
    const router = {
      fallback: 'deny',
      sources: { open: { type: 'hosted' } },
      routes: [{ prefix: 'tested', sources: ['open'] }],
    };
    // The failed module may not decide, so the router lacks a source, and Backstage a policy.
    const outcome = await start(router, [hostPolicy('open', openModule(true))]).then(
      async backend => {
        await backend.stop();
        return 'the backend started';
      },
      String,
    );
    expect(outcome).toContain('No policy module installed');
  });
});
