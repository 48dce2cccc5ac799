/**
 * A Backstage permission policy that routes every permission, by prefix, to the source that
 * should decide it. The default export is the backend module.
 *
 * @packageDocumentation
 */
import { createPolicyRouterModule } from './module';

export default createPolicyRouterModule();
