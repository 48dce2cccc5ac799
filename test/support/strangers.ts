import type {
  AuthResolverContext,
  BackstageSignInResult,
} from '@backstage/plugin-auth-node';
import { signInByName } from '../../dev/sign-in-by-name';

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
export const strangersAuthModule = signInByName('strangers', async (name, context) =>
  SIGN_INS[name]!(context),
);

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
