/** The policies that a backend of the benchmark can have. */
import {
  coreServices,
  createBackendModule,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import allowAllModule from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import opaWrapperModule from '@parsifal-m/plugin-permission-backend-module-opa-wrapper';
import { Pool } from 'undici';
import { createPolicyRouter } from '../../../src/feature';
import { OwnerPolicy } from '../owner-policy';

export type PolicyName = 'allow-all' | 'owner' | 'undici' | 'opa-wrapper' | 'router';

export function featureOf(name: PolicyName): BackendFeature {
  switch (name) {
    case 'allow-all':
      return allowAllModule;
    case 'owner':
      return moduleWith(() => new OwnerPolicy());
    case 'undici':
      return moduleWith(url => new UndiciPolicy(url));
    case 'opa-wrapper':
      return opaWrapperModule;
    case 'router':
      return createPolicyRouter();
  }
}

/** The least that a policy with OPA can do: one request per question, and no checks. */
export class UndiciPolicy implements PermissionPolicy {
  private readonly pool: Pool;

  constructor(opaUrl: string) {
    this.pool = new Pool(opaUrl, { connections: 64, pipelining: 1 });
  }

  async handle(
    { permission }: PolicyQuery,
    user?: PolicyQueryUser,
  ): Promise<PolicyDecision> {
    const { name, type, attributes } = permission;
    const resourceType = 'resourceType' in permission && permission.resourceType;
    const response = await this.pool.request({
      method: 'POST',
      path: '/v1/data/backstage_policy/decision',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        input: {
          permission: {
            name,
            type,
            attributes,
            ...(resourceType ? { resourceType } : {}),
          },
          identity: {
            user: user?.info.userEntityRef,
            claims: user?.info.ownershipEntityRefs,
          },
        },
      }),
    });
    const { result } = (await response.body.json()) as { result: PolicyDecision };
    return result;
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

const moduleWith = (create: (opaUrl: string) => PermissionPolicy): BackendFeature =>
  createBackendModule({
    pluginId: 'permission',
    moduleId: 'bench',
    register(registration) {
      registration.registerInit({
        deps: { config: coreServices.rootConfig, policy: policyExtensionPoint },
        async init({ config, policy }) {
          policy.setPolicy(create(config.getOptionalString('bench.opaUrl') ?? ''));
        },
      });
    },
  });
