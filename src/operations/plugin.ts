/** The backend plugin `policy-router`: what people can see of the decisions, by HTTP. */
import { coreServices, createBackendPlugin } from '@backstage/backend-plugin-api';
import { createOperationsApi } from './api';
import type { RouterHandle } from './handle';

export const PLUGIN_ID = 'policy-router';

export const createOperationsPlugin = (handle: RouterHandle) =>
  createBackendPlugin({
    pluginId: PLUGIN_ID,
    register(registration) {
      registration.registerInit({
        deps: {
          httpRouter: coreServices.httpRouter,
          httpAuth: coreServices.httpAuth,
          userInfo: coreServices.userInfo,
          auth: coreServices.auth,
          discovery: coreServices.discovery,
        },
        async init({ httpRouter, ...services }) {
          httpRouter.use(createOperationsApi(handle, services));
        },
      });
    },
  });
