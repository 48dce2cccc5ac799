import type { Router } from '../router';

/** What the module of plugin `permission` and the plugin `policy-router` of one backend share. */
export class RouterHandle {
  /** Undefined until the router is the permission policy. */
  router: Router | undefined;
}
