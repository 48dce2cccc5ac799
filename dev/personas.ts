import { signInByName } from './sign-in-by-name';

/** The people of the sample catalog, and the role of each in the sample. */
export const PERSONAS = {
  olivia: 'owner: in group:default/payments',
  nolan: 'non-owner: in group:default/search',
  petra: 'platform: in group:default/platform',
} as const;

export type Persona = keyof typeof PERSONAS;

/** Lets anyone sign in as any user in the catalog: for samples and tests only. */
export const personasAuthModule = signInByName('personas', (name, context) =>
  context.signInWithCatalogUser({ entityRef: { name } }),
);
