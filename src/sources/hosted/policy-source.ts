import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';

/**
 * What a source says of one request: what a Backstage policy may say, or `NOT_APPLICABLE`
 * (XACML 3.0, 7.13): it has no opinion, and the other sources of the route decide.
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
   * @param request - a copy of its own, which it may change.
   * @param user - undefined for a request without a user; else `info` is a copy, too.
   * @throws anything: the failure is `invalid`, which denies.
   */
  handle(request: PolicyQuery, user?: PolicyQueryUser): Promise<SourceDecision>;
}
