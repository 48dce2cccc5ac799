import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  authProvidersExtensionPoint,
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
  type AuthResolverContext,
  type BackstageSignInResult,
} from '@backstage/plugin-auth-node';

/** Ways to sign in somebody who is not in the catalog; each is a user of its name. */
const SIGN_INS: Readonly<
  Record<string, (context: AuthResolverContext) => Promise<BackstageSignInResult>>
> = {
  // As `dangerouslyAllowSignInWithoutUserInCatalog` does it: the user's own ref, no groups.
  newcomer: context =>
    context.signInWithCatalogUser(
      { entityRef: { name: 'newcomer' } },
      { dangerousEntityRefFallback: { entityRef: 'user:default/newcomer' } },
    ),
  // As a guest without a user in the catalog is signed in: the own ref again.
  guest: context => context.issueToken({ claims: { sub: 'user:development/guest' } }),
  // A resolver, or a guest provider, that gives no refs at all.
  nobody: context =>
    context.issueToken({ claims: { sub: 'user:default/nobody', ent: [] } }),
};

/** Needs the config `auth.providers.strangers`. */
export const strangersAuthModule = createBackendModule({
  pluginId: 'auth',
  moduleId: 'strangers-provider',
  register(registration) {
    registration.registerInit({
      deps: { providers: authProvidersExtensionPoint },
      async init({ providers }) {
        providers.registerProvider({
          providerId: 'strangers',
          factory: createProxyAuthProviderFactory<{ name: string }>({
            authenticator: createProxyAuthenticator({
              defaultProfileTransform: async () => ({ profile: {} }),
              initialize: () => undefined,
              authenticate: async ({ req }) => ({
                result: { name: typeof req.query.as === 'string' ? req.query.as : '' },
              }),
            }),
            signInResolver: async ({ result }, context) =>
              SIGN_INS[result.name]!(context),
          }),
        });
      },
    });
  },
});

/** Gives a token of one of these. */
export async function signInStranger(
  url: string,
  name: 'newcomer' | 'guest' | 'nobody',
): Promise<string> {
  const response = await fetch(`${url}/api/auth/strangers/refresh?as=${name}`, {
    method: 'POST',
  });
  if (!response.ok) throw new Error(`sign-in answered HTTP ${response.status}`);
  const body = (await response.json()) as { backstageIdentity: { token: string } };
  return body.backstageIdentity.token;
}
