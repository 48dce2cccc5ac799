import { signInByName } from './sign-in-by-name';

/** The people of the sample catalog, by name, and what makes each of them interesting. */
export const PERSONAS = {
  olivia: 'owner: in group:default/payments',
  nolan: 'non-owner: in group:default/search',
  petra: 'platform: in group:default/platform',
} as const;

export type Persona = keyof typeof PERSONAS;

/** Signs anybody in as any user of the catalog: for samples and tests only. */
export const personasAuthModule = signInByName('personas', (name, context) =>
  context.signInWithCatalogUser({ entityRef: { name } }),
);
