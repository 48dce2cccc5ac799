import type { PolicySource } from './policy-source';

export interface HostedPolicy {
  readonly policy: PolicySource;
  /** Whether it may say NOT_APPLICABLE: a policy written for Backstage alone never does. */
  readonly mayAbstain: boolean;
}

/** The policies that other modules provide, by the name of their source. */
export interface HostedPolicies {
  /** @throws Error if no module provides it. */
  get(name: string): HostedPolicy;
}
