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

export type PolicyName =
  'allow-all' | 'owner' | 'undici' | 'undici-batch' | 'opa-wrapper' | 'router';

export function featureOf(name: PolicyName): BackendFeature {
  switch (name) {
    case 'allow-all':
      return allowAllModule;
    case 'owner':
      return moduleWith(() => new OwnerPolicy());
    case 'undici':
      return moduleWith(url => new UndiciPolicy(url));
    case 'undici-batch':
      return moduleWith(url => new UndiciBatchPolicy(url));
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
    const response = await this.pool.request({
      method: 'POST',
      path: '/v1/data/backstage_policy/decision',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        input: { permission: permissionOf(permission), identity: identityOf(user) },
      }),
    });
    const { result } = (await response.body.json()) as { result: PolicyDecision };
    return result;
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

interface Waiting {
  readonly permission: object;
  readonly resolve: (decision: PolicyDecision) => void;
  readonly reject: (error: unknown) => void;
}

/** The least that a policy with a batch rule can do: one request per turn and user, no checks. */
export class UndiciBatchPolicy implements PermissionPolicy {
  private readonly pool: Pool;
  private readonly waiting = new Map<PolicyQueryUser | undefined, Waiting[]>();

  constructor(opaUrl: string) {
    this.pool = new Pool(opaUrl, { connections: 64, pipelining: 1 });
  }

  handle({ permission }: PolicyQuery, user?: PolicyQueryUser): Promise<PolicyDecision> {
    return new Promise((resolve, reject) => {
      const asked = { permission: permissionOf(permission), resolve, reject };
      const others = this.waiting.get(user);
      if (others) return void others.push(asked);
      this.waiting.set(user, [asked]);
      setImmediate(() => void this.ask(user));
    });
  }

  private async ask(user: PolicyQueryUser | undefined): Promise<void> {
    const asked = this.waiting.get(user) ?? [];
    this.waiting.delete(user);
    try {
      const permissions = Object.fromEntries(
        asked.map(({ permission }, index) => [String(index), permission]),
      );
      const response = await this.pool.request({
        method: 'POST',
        path: '/v1/data/policy_router/batch',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ input: { identity: identityOf(user), permissions } }),
      });
      const { result } = (await response.body.json()) as {
        result: { decisions: Record<string, PolicyDecision> };
      };
      asked.forEach(({ resolve }, index) => resolve(result.decisions[index]!));
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}

function permissionOf(permission: PolicyQuery['permission']): object {
  const { name, type, attributes } = permission;
  const resourceType = 'resourceType' in permission && permission.resourceType;
  return { name, type, attributes, ...(resourceType ? { resourceType } : {}) };
}

const identityOf = (user: PolicyQueryUser | undefined): object => ({
  user: user?.info.userEntityRef,
  claims: user?.info.ownershipEntityRefs,
});

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
