/**
 * A hosted policy that asks the catalog as the user while it decides. The catalog asks the same
 * policy which entities the user may read, so every question waits for a question of its own.
 */
import {
  coreServices,
  createBackendModule,
  type AuthService,
  type BackendFeature,
  type DiscoveryService,
} from '@backstage/backend-plugin-api';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { hostPolicy, policySourceExtensionPoint } from '../../../src/index';
import {
  authorize,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
import { until } from '../../support/until';

interface Services {
  readonly auth: AuthService;
  readonly discovery: DiscoveryService;
}

/** Everybody may read; who finds a component may do the rest. */
const askingTheCatalog = ({ auth, discovery }: Services): PermissionPolicy => ({
  async handle({ permission }, user) {
    if (permission.name === 'catalog.entity.read') {
      return { result: AuthorizeResult.ALLOW };
    }
    const { token } = await auth.getPluginRequestToken({
      onBehalfOf: user!.credentials,
      targetPluginId: 'catalog',
    });
    const found = await componentsIn(await discovery.getBaseUrl('catalog'), token);
    return { result: found > 0 ? AuthorizeResult.ALLOW : AuthorizeResult.DENY };
  },
});

async function componentsIn(catalog: string, token: string): Promise<number> {
  const query = 'entities/by-query?filter=kind=component&limit=1';
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${catalog}/${query}`, { headers });
  const { totalItems = 0 } = (await response.json()) as { totalItems?: number };
  return totalItems;
}

const services = { auth: coreServices.auth, discovery: coreServices.discovery };

const asThePolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'asking-policy',
  register(registration) {
    registration.registerInit({
      deps: { policy: policyExtensionPoint, ...services },
      async init({ policy, ...rest }) {
        policy.setPolicy(askingTheCatalog(rest));
      },
    });
  },
});

const asASource = createBackendModule({
  pluginId: 'permission',
  moduleId: 'asking-source',
  register(registration) {
    registration.registerInit({
      deps: { router: policySourceExtensionPoint, ...services },
      async init({ router, ...rest }) {
        router.addSource('asking', askingTheCatalog(rest));
      },
    });
  },
});

/** One request of as many questions as a page with a table may ask. */
const QUESTIONS = Array.from({ length: 100 }, () =>
  onEntity('catalog.entity.delete', 'delete'),
);

let backend: RunningBackend | undefined;

afterEach(() => backend?.stop());

interface Case {
  readonly features?: readonly BackendFeature[];
  readonly policy?: BackendFeature;
  readonly sources?: object;
  readonly asked?: string;
}

async function decide({ features, policy, sources, asked = 'asking' }: Case) {
  backend = await startBackend({
    ...(policy
      ? { policy }
      : {
          policyRouter: {
            fallback: 'deny',
            // As docs/migrating.md begins.
            deadline: '30s',
            sources: { asking: { type: 'hosted', timeout: '20s' }, ...sources },
            routes: [{ prefix: '', sources: [asked] }],
          },
        }),
    features: features ?? [],
  });
  const token = await backend.signIn('olivia');
  const catalog = `${backend.url}/api/catalog`;
  const isIngested = async () => (await componentsIn(catalog, token)) > 0;
  await until(isIngested, 'a component was ingested');
  return authorize(backend.url, token, QUESTIONS);
}

const ALL_ALLOWED = { status: 200, results: QUESTIONS.map(() => 'ALLOW') };

it('alone, it allows all questions of a batch', async () => {
  expect(await decide({ policy: asThePolicy })).toEqual(ALL_ALLOWED);
});

it('hosted, it does too', async () => {
  const features = [hostPolicy('asking', asThePolicy)];
  expect(await decide({ features })).toEqual(ALL_ALLOWED);
});

it('as a source of its own, it does too', async () => {
  expect(await decide({ features: [asASource] })).toEqual(ALL_ALLOWED);
});

it('as a standby, it does too', async () => {
  const sources = {
    opa: {
      type: 'opa',
      baseUrl: 'unix:/there/is/no.sock',
      entrypoint: 'unused',
      standby: 'asking',
    },
  };
  const features = [asASource];
  expect(await decide({ features, sources, asked: 'opa' })).toEqual(ALL_ALLOWED);
});
