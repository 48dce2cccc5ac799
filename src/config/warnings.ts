/** What is allowed in a config, but perhaps not what was meant. */
import type { Finding } from './findings';
import type { ConfigPlace } from './types';

/** One for each kind of warning; a code never changes its meaning. */
export const WARNING_CODES = [
  'UNREACHABLE_ROUTE',
  'REST_IS_OPEN',
  'ODD_PATTERN',
  'ODD_BASE_URL',
  'ODD_ENTRYPOINT',
  'UNUSED_SOURCE',
  'UNUSED_SHADOW',
  'NEVER_ABSTAINS',
  'OBSERVE_ENDS_SOON',
  'OBSERVE_ENDED',
  'MORE_WARNINGS',
] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

export interface OddFinding extends Finding {
  readonly code: WarningCode;
}

/** A warning about the config, as people and programs read it. */
export interface ConfigWarning {
  readonly code: WarningCode;
  /** Such as `permission.policyRouter.routes[0]`. */
  readonly place: string;
  /** What a person knows the place by, such as the label of a route. */
  readonly subject?: string | undefined;
  readonly message: string;
  /** All of it in one line, for the log. */
  readonly text: string;
  readonly at?: ConfigPlace | undefined;
}
