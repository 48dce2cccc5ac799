import { coreServices, createBackendPlugin } from '@backstage/backend-plugin-api';
import { createPermission } from '@backstage/plugin-permission-common';

const permissions = (['create', 'read'] as const).map(action =>
  createPermission({ name: `billing.invoice.${action}`, attributes: { action } }),
);

/** A plugin that somebody has installed, and nobody has routed. */
export const billingPlugin = createBackendPlugin({
  pluginId: 'billing',
  register(registration) {
    registration.registerInit({
      deps: { registry: coreServices.permissionsRegistry },
      async init({ registry }) {
        registry.addPermissions(permissions);
      },
    });
  },
});
