import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';

/**
 * A source's decision on one request: that of a Backstage policy, or `NOT_APPLICABLE`
 * (XACML 3.0, 7.13), with which it abstains and leaves the decision to the route's other sources.
 *
 * @public
 */
export type SourceDecision = PolicyDecision | { result: 'NOT_APPLICABLE' };

/**
 * A source of decisions. Every Backstage `PermissionPolicy` is one.
 *
 * @public
 */
export interface PolicySource {
  /**
   * Decides one request.
   *
   * @param request - the source's own copy, which it may change.
   * @param user - undefined for a request without a user; `info` is a copy too.
   * @throws anything; it counts as an `invalid` failure, which denies.
   */
  handle(request: PolicyQuery, user?: PolicyQueryUser): Promise<SourceDecision>;
}
