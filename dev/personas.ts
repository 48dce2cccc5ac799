import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  authProvidersExtensionPoint,
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
} from '@backstage/plugin-auth-node';

/** The people of the sample catalog, by name, and what makes each of them interesting. */
export const PERSONAS = {
  olivia: 'owner: in group:default/payments',
  nolan: 'non-owner: in group:default/search',
  petra: 'platform: in group:default/platform',
} as const;

export type Persona = keyof typeof PERSONAS;

interface SignInResult {
  readonly name: string;
}

/** Signs anybody in as any user of the catalog: for samples and tests only. */
export const personasAuthModule = createBackendModule({
  pluginId: 'auth',
  moduleId: 'personas-provider',
  register(registration) {
    registration.registerInit({
      deps: { providers: authProvidersExtensionPoint },
      async init({ providers }) {
        providers.registerProvider({
          providerId: 'personas',
          factory: createProxyAuthProviderFactory<SignInResult>({
            authenticator: createProxyAuthenticator({
              defaultProfileTransform: async () => ({ profile: {} }),
              initialize: () => undefined,
              authenticate: async ({ req }) => ({
                result: { name: typeof req.query.as === 'string' ? req.query.as : '' },
              }),
            }),
            signInResolver: ({ result }, context) =>
              context.signInWithCatalogUser({ entityRef: { name: result.name } }),
          }),
        });
      },
    });
  },
});
