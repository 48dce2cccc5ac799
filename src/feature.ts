import {
  createBackendFeatureLoader,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { createPolicyRouterModule } from './module';
import { RouterHandle } from './operations/handle';
import { createOperationsPlugin } from './operations/plugin';
import type { TraceSink } from './trace/record';

/**
 * All that one backend gets: the module that sets the permission policy, and the plugin that
 * shows what it does. They share one handle; each backend gets its own.
 *
 * @param sinks - receive the record of every decision, besides the log.
 */
export const createPolicyRouter = (sinks: readonly TraceSink[] = []): BackendFeature =>
  createBackendFeatureLoader({
    loader: () => {
      const handle = new RouterHandle();
      return [createPolicyRouterModule(handle, sinks), createOperationsPlugin(handle)];
    },
  });
