import type {
  AuthResolverContext,
  BackstageSignInResult,
} from '@backstage/plugin-auth-node';
import { signInByName } from '../../dev/sign-in-by-name';

/** Ways to sign in users who are not in the catalog, by user name. */
const SIGN_INS: Readonly<
  Record<string, (context: AuthResolverContext) => Promise<BackstageSignInResult>>
> = {
  // As with `dangerouslyAllowSignInWithoutUserInCatalog`: the user's own ref and no groups.
  newcomer: context =>
    context.signInWithCatalogUser(
      { entityRef: { name: 'newcomer' } },
      { dangerousEntityRefFallback: { entityRef: 'user:default/newcomer' } },
    ),
  // As for a guest without a user in the catalog: also only the own ref.
  guest: context => context.issueToken({ claims: { sub: 'user:development/guest' } }),
  // As with a resolver or guest provider that returns no refs.
  nobody: context =>
    context.issueToken({ claims: { sub: 'user:default/nobody', ent: [] } }),
};

/** Needs the config `auth.providers.strangers`. */
export const strangersAuthModule = signInByName('strangers', async (name, context) =>
  SIGN_INS[name]!(context),
);

/** Returns a token for one of these users. */
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
