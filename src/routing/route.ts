import type { NamePattern } from '../prefix';
import type { Action } from '../request';

export { ACTIONS, actionOf, resourceTypeOf, type Action } from '../request';

/** The part of a route that decides which permissions it fits. */
export interface RoutePattern extends NamePattern {
  /** Any action if absent. */
  readonly actions?: readonly Action[] | undefined;
  /** Any resource type, and basic permissions, if absent. */
  readonly resourceTypes?: readonly string[] | undefined;
}

export const constraintCount = (route: RoutePattern): number =>
  (route.actions ? 1 : 0) + (route.resourceTypes ? 1 : 0);
