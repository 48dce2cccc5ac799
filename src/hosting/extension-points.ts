import { createExtensionPoint } from '@backstage/backend-plugin-api';
import type { PolicyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import type { PolicySource } from '../sources/hosted/policy-source';

/** For modules of the plugin `permission` that bring a source for the routing table. */
export interface PolicySourceExtensionPoint {
  /**
   * Brings a policy, or a source that may also say NOT_APPLICABLE, under the name that
   * `permission.policyRouter.sources` gives it with `type: hosted`. Do it last in `init`, after
   * all that may fail: it stays, should Backstage be told to go on without a module that failed.
   *
   * @throws Error if the name is taken, if the source has no `handle`, or when the policy
   * router has started already: call it in the module's `init`.
   */
  addSource(name: string, source: PolicySource): void;
}

export const policySourceExtensionPoint =
  createExtensionPoint<PolicySourceExtensionPoint>({
    id: 'permission.policy-router.sources',
  });

/** What `hostPolicy` gives a module in place of Backstage's extension point. */
export interface Hosting extends PolicyExtensionPoint {
  /** Takes back what this module has set. */
  withdraw(): void;
}

export interface HostingExtensionPoint {
  host(name: string): Hosting;
}

export const hostingExtensionPoint = createExtensionPoint<HostingExtensionPoint>({
  id: 'permission.policy-router.hosting',
});
