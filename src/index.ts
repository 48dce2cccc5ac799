/**
 * A Backstage permission policy that routes every permission, by prefix, to the source that
 * should decide it. The default export is the backend feature.
 *
 * @packageDocumentation
 */

import { createPolicyRouter } from './feature';
import { assertSupportedRelease } from './supported-release';

export {
  hostPolicy,
  type HostableFeature,
  type LoadedFeature,
} from './hosting/host-policy';
export {
  policySourceExtensionPoint,
  type PolicySourceExtensionPoint,
} from './hosting/extension-points';
export type { PolicySource, SourceDecision } from './sources/hosted/policy-source';

assertSupportedRelease();

/**
 * The backend module that sets the permission policy, and the plugin `policy-router` that shows
 * what it does.
 *
 * @public
 */
export default createPolicyRouter();
