import {
  createBackendModule,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import {
  authProvidersExtensionPoint,
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
  type AuthResolverContext,
  type BackstageSignInResult,
} from '@backstage/plugin-auth-node';

/**
 * Signs in the user that `/api/auth/<providerId>/refresh?as=<name>` names, without any proof of
 * identity: for samples and tests only.
 *
 * @param providerId - the key of a provider in the config, `auth.providers.<providerId>`.
 */
export const signInByName = (
  providerId: string,
  resolve: (
    name: string,
    context: AuthResolverContext,
  ) => Promise<BackstageSignInResult>,
): BackendFeature =>
  createBackendModule({
    pluginId: 'auth',
    moduleId: `${providerId}-provider`,
    register(registration) {
      registration.registerInit({
        deps: { providers: authProvidersExtensionPoint },
        async init({ providers }) {
          providers.registerProvider({
            providerId,
            factory: createProxyAuthProviderFactory<{ name: string }>({
              authenticator: createProxyAuthenticator({
                defaultProfileTransform: async () => ({ profile: {} }),
                initialize: () => undefined,
                authenticate: async ({ req }) => ({
                  result: {
                    name: typeof req.query.as === 'string' ? req.query.as : '',
                  },
                }),
              }),
              signInResolver: ({ result }, context) => resolve(result.name, context),
            }),
          });
        },
      });
    },
  });
