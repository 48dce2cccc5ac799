import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createBackendModule,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import { startBackend, type RunningBackend } from './backend';

/** A token that authenticates as a service. */
export const SERVICE_TOKEN = 'a-token-of-a-service';

/** Makes the catalog accept templates, which it does not by default. */
const templateKindModule = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'template-kind',
  register(registration) {
    registration.registerInit({
      deps: { catalog: catalogProcessingExtensionPoint },
      async init({ catalog }) {
        catalog.addProcessor({
          getProcessorName: () => 'template-kind',
          validateEntityKind: async ({ kind }) => kind === 'Template',
        });
      },
    });
  },
});

/** The sample backend with the real scaffolder, one template, and further features. */
export async function startScaffolderBackend(
  policyRouter: object,
  features: readonly BackendFeature[] = [],
): Promise<RunningBackend> {
  const backend = await startBackend({
    policyRouter,
    config,
    features: [scaffolderPlugin, templateKindModule, ...features],
  });
  return {
    ...backend,
    stop: async () => {
      // Once a second, the scaffolder reads the events of every task it ran until it finds the
      // last one, even after its shutdown, and an error there ends the process. Nothing shows
      // when it is done.
      await delay(1_500);
      await backend.stop();
    },
  };
}

const config = {
  backend: {
    auth: {
      externalAccess: [
        { type: 'static', options: { token: SERVICE_TOKEN, subject: 'a-service' } },
      ],
    },
  },
  catalog: {
    rules: [{ allow: ['Component', 'Group', 'Template', 'User'] }],
    locations: ['dev/catalog/entities.yaml', 'test/fixtures/catalog/template.yaml'].map(
      file => ({ type: 'file', target: resolve(file) }),
    ),
  },
};
