/** A backend with a policy shaped like OpenChoreo's as the router's source `openchoreo`. */
import { resolve } from 'node:path';
import { signInByName } from '../../dev/sign-in-by-name';
import { hostPolicy } from '../../src/index';
import openchoreoPolicy from '../fixtures/openchoreo/module';
import { OPENCHOREO_TOKEN_HEADER } from '../fixtures/openchoreo/names';
import {
  openchoreoCatalogModule,
  openchoreoPlugin,
} from '../fixtures/openchoreo/plugins';
import { createIdpTokenHeaderMiddleware } from '../fixtures/openchoreo/token';
import {
  authorize,
  startBackend,
  type Authorized,
  type Question,
  type RunningBackend,
  type BackendOptions,
} from './backend';

export interface OpenChoreoOptions extends BackendOptions {
  /** The value of `openchoreo` in app-config; without it there is none. */
  readonly openchoreo?: object;
  /** Whether the catalog has entities; the test must wait until they are ingested. */
  readonly entities?: boolean;
}

const FOLDERS = ['dev/catalog', 'test/fixtures/openchoreo'];

/**
 * Includes the other OpenChoreo packages, its entities and a sign-in for any name. The module
 * is hosted unless another policy is given.
 */
export const startOpenChoreoBackend = ({
  openchoreo,
  entities = false,
  config,
  features = [],
  ...options
}: OpenChoreoOptions): Promise<RunningBackend> =>
  startBackend({
    ...options,
    config: {
      ...(openchoreo ? { openchoreo } : {}),
      auth: { providers: { personas: {}, anybody: {} } },
      catalog: {
        rules: [{ allow: ['Component', 'System', 'Domain', 'Group', 'User'] }],
        locations: (entities ? FOLDERS : []).map(folder => ({
          type: 'file',
          target: resolve(folder, 'entities.yaml'),
        })),
      },
      ...config,
    },
    configure: ({ app }) => app.use(createIdpTokenHeaderMiddleware()),
    features: [
      ...(options.policy ? [] : [hostPolicy('openchoreo', openchoreoPolicy)]),
      openchoreoCatalogModule,
      openchoreoPlugin,
      anybodyAuthModule,
      ...features,
    ],
  });

/** Signs in any name without a user in the catalog. */
const anybodyAuthModule = signInByName('anybody', (name, context) =>
  context.issueToken({ claims: { sub: refOf(name) } }),
);

export const refOf = (name: string): string => `user:default/${name}`;

/** A user with a Backstage token and an identity provider token. */
export interface Member {
  readonly name: string;
  readonly backstageToken: string;
  readonly idpToken: string;
}

export async function signInAnybody(url: string, name: string): Promise<Member> {
  const response = await fetch(`${url}/api/auth/anybody/refresh?as=${name}`);
  if (!response.ok) throw new Error(`sign-in answered HTTP ${response.status}`);
  const body = (await response.json()) as { backstageIdentity: { token: string } };
  const { token: backstageToken } = body.backstageIdentity;
  return { name, backstageToken, idpToken: idpTokenOf(name) };
}

let issued = 0;

/** A new token for each call, as an identity provider issues it; valid for an hour. */
export function idpTokenOf(name: string): string {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const part = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: name, jti: ++issued, exp })}.signature`;
}

/** The headers with which OpenChoreo's frontend authenticates. */
export const headersOf = ({ backstageToken, idpToken }: Member) => ({
  authorization: `Bearer ${backstageToken}`,
  [OPENCHOREO_TOKEN_HEADER]: idpToken,
});

/** Asks as OpenChoreo's frontend does, with both tokens. */
export const authorizeAs = (
  { url }: RunningBackend,
  member: Member,
  ...questions: Question[]
): Promise<Authorized> =>
  authorize(url, member.backstageToken, questions, headersOf(member));

/** Calls a route of the policy module itself. */
export async function callRoute(
  { url }: RunningBackend,
  path: string,
  body: object,
  headers: Readonly<Record<string, string>>,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/api/permission${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? text : JSON.parse(text) };
}
