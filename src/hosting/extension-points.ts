import { createExtensionPoint } from '@backstage/backend-plugin-api';
import type { PolicyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import type { PolicySource } from '../sources/hosted/policy-source';

/**
 * For modules of the plugin `permission` that provide a source for the routing table.
 *
 * @public
 */
export interface PolicySourceExtensionPoint {
  /**
   * Provides a policy, or a source that may also answer NOT_APPLICABLE. The name is that of a
   * source with `type: hosted` in `permission.policyRouter.sources`.
   *
   * Call it at the end of the module's `init`, after everything that can fail: if `init` fails
   * later, and Backstage is configured to start without this module, the source still decides.
   *
   * @throws Error if the name is invalid or already used, if the source has no `handle` method,
   * or if the policy router has already started.
   */
  addSource(name: string, source: PolicySource): void;
}

/**
 * Where a module of the plugin `permission` adds a source for the routing table.
 *
 * @public
 */
export const policySourceExtensionPoint =
  createExtensionPoint<PolicySourceExtensionPoint>({
    id: 'permission.policy-router.sources',
  });

/** What a module wrapped by `hostPolicy` gets instead of Backstage's extension point. */
export interface Hosting extends PolicyExtensionPoint {
  /** Removes the policy that this module has set. */
  withdraw(): void;
}

export interface HostingExtensionPoint {
  host(name: string): Hosting;
}

export const hostingExtensionPoint = createExtensionPoint<HostingExtensionPoint>({
  id: 'permission.policy-router.hosting',
});
