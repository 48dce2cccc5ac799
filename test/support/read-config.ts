/** Reads configs of `permission.policyRouter` and returns their problems and warnings. */
import type { ProvidedPolicyInfo } from '../../src/config/hosted';
import type { RoutingFileContent } from '../../src/config/merge-routing-file';
import { readConfig } from '../../src/config/read';
import { CONFIG_PATH, ConfigError, type RouterConfig } from '../../src/config/types';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { KINDS } from '../../src/sources/kinds';

export const OPA = {
  type: 'opa',
  baseUrl: 'https://opa.example.com',
  entrypoint: 'backstage_policy/decision',
};
export const OWNERSHIP = { type: 'ownership' };
export const EMBEDDED = {
  type: 'opa-wasm',
  bundle: '/bundle.tar.gz',
  entrypoint: 'a/b',
};
/** What `type` may be, as messages list it. */
export const TYPES = KINDS.map(({ type }) => `'${type}'`).join(', ');

export const HOSTED = { type: 'hosted' };
export const ROUTE = { prefix: '', sources: ['opa', 'ownership'] };

/** An OPA source, with a standby if one is named. */
export const opa = (standby?: string, more: object = {}): object => ({
  ...OPA,
  ...(standby === undefined ? {} : { standby }),
  ...more,
});

/** A valid config with the sources `opa` and `ownership`, and these changes. */
export const config = (changes: object = {}) => ({
  fallback: 'deny',
  sources: { opa: OPA, ownership: OWNERSHIP },
  routes: [ROUTE],
  ...changes,
});
export const withOpa = (changes: object) =>
  config({ sources: { opa: { ...OPA, ...changes }, ownership: OWNERSHIP } });
export const withOwnership = (changes: object) =>
  config({ sources: { opa: OPA, ownership: { ...OWNERSHIP, ...changes } } });
export const withRoute = (changes: object) =>
  config({ routes: [{ ...ROUTE, ...changes }] });
export const withRoutes = (...routes: object[]) =>
  config({
    routes: routes.map(route => ({ sources: ['opa', 'ownership'], ...route })),
  });

/** A config with one route to these sources, by default to all. */
export const configOf = (
  sources: object,
  more: object = {},
  route: object = { sources: Object.keys(sources) },
): object => ({
  fallback: 'deny',
  sources,
  routes: [{ prefix: '', ...route }],
  ...more,
});

export const POLICY = { handle: async () => ({ result: 'DENY' }) as never };

/** Policies provided through `hostPolicy` under these names. */
export function hosted(...names: string[]): ProvidedPolicies {
  const provided = new ProvidedPolicies();
  for (const name of names) provided.host(name).setPolicy(POLICY);
  return provided;
}

/** Policies provided by modules written for the router. */
export function added(...names: string[]): ProvidedPolicies {
  const provided = new ProvidedPolicies();
  for (const name of names) provided.addSource(name, POLICY);
  return provided;
}

/** What the config is read with. */
interface Given {
  readonly file?: RoutingFileContent;
  readonly provided?: ProvidedPolicyInfo;
}

export async function errorOf(
  raw: unknown,
  { file, provided }: Given = {},
): Promise<ConfigError | undefined> {
  try {
    await readConfig(raw, file, provided);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** Each problem as `path: message`; `~` is `permission.policyRouter`. */
export const problems = async (raw: unknown, given?: Given): Promise<string[]> =>
  ((await errorOf(raw, given))?.problems ?? []).map(
    ({ path, message }) => `${path.replace(CONFIG_PATH, '~')}: ${message}`,
  );

/** Likewise. */
export const warnings = async (
  raw: unknown,
  { file, provided }: Given = {},
): Promise<string[]> =>
  (await readConfig(raw, file, provided)).warnings.map(({ text }) =>
    text.replace(CONFIG_PATH, '~'),
  );

export const sourcesOf = async (
  raw: unknown,
  { file, provided }: Given = {},
): Promise<RouterConfig['sources']> =>
  (await readConfig(raw, file, provided)).config.sources;

/** A rule, a config that breaks it, and all the problems that are reported. */
export type Row = [rule: string, raw: unknown, ...problems: string[]];
export const expectProblems = async (
  _rule: string,
  raw: unknown,
  ...expected: string[]
): Promise<void> => {
  expect(await problems(raw)).toEqual(expected);
};

/** For a mistake that may cause further problems. */
export const expectAmong = async (
  _rule: string,
  raw: unknown,
  ...expected: string[]
): Promise<void> => {
  expect(await problems(raw)).toEqual(expect.arrayContaining(expected));
};
