'use strict';

// The backend of test/releases: what a user's backend has, with the router and a hosted policy.
const { createBackend } = require('@backstage/backend-defaults');
const { createBackendModule } = require('@backstage/backend-plugin-api');
const { policyExtensionPoint } = require('@backstage/plugin-permission-node/alpha');
const {
  hostPolicy,
} = require('backstage-plugin-permission-backend-module-policy-router');

/** A policy module as teams write it; it knows nothing of the router. */
const teamPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'team-policy',
  register(registration) {
    registration.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        policy.setPolicy({
          handle: async ({ permission }) => ({
            result: permission.name === 'catalog.location.read' ? 'ALLOW' : 'DENY',
          }),
        });
      },
    });
  },
});

const backend = createBackend();
backend.add(import('@backstage/plugin-auth-backend'));
backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
backend.add(import('@backstage/plugin-catalog-backend'));
backend.add(import('@backstage/plugin-permission-backend'));
backend.add(import('backstage-plugin-permission-backend-module-policy-router'));
backend.add(hostPolicy('team', teamPolicy));
backend.start();
