/** What decides a permission, as the answers of the API describe it. */
import type { CombiningAlgorithm } from '../combining/algorithms';
import { observeOf } from '../config/observe';
import type { Route, RouterConfig } from '../config/types';
import type { ConfigWarning } from '../config/warnings';
import { cut } from '../lib/bounded';
import type { OnUnavailable } from '../verdict';

/** Of the sources of a route, this many are listed. */
export const MAX_SOURCES = 20;

/** A route, or the fallback. */
export interface Decider {
  /** The label of the route, or `fallback`. */
  readonly route: string;
  /** The place of the route in the list of the config, from 0; absent for the fallback. */
  readonly routeIndex?: number;
  /** What the fallback answers; absent for a route. */
  readonly result?: 'ALLOW' | 'DENY';
  /** The names of the first 20 sources, in the order they are asked; none for the fallback. */
  readonly sources: readonly string[];
  /** How many more sources there are; absent if there are none. */
  readonly moreSources?: number;
  /** Absent for the fallback, like the rest. */
  readonly combine?: CombiningAlgorithm;
  readonly default?: 'allow' | 'deny';
  /**
   * What its sources count as while they are unavailable; `mixed` if they differ. Absent if none can
   * be unavailable.
   */
  readonly onUnavailable?: OnUnavailable | 'mixed';
  /** Decisions are recorded and not enforced until then (ISO 8601): this source answers. */
  readonly observe?: { readonly answer: string; readonly until: string };
}

/** A warning, as answers have it. */
export interface Warning<Code extends string = string> {
  readonly code: Code;
  /** Such as `permission.policyRouter.routes[0]`. */
  readonly place: string;
  /** What a person knows the place by, such as the label of a route; absent if there is nothing. */
  readonly subject?: string;
  readonly message: string;
}

type Config = Pick<RouterConfig, 'fallback' | 'sources' | 'observe'>;

/** @param route - undefined if no route matches. */
export function deciderOf(route: Route | undefined, config: Config): Decider {
  const observe = observeOf(route, config);
  const observed = observe && {
    observe: { answer: observe.answer, until: new Date(observe.until).toISOString() },
  };
  if (!route) {
    const result = config.fallback === 'allow' ? 'ALLOW' : 'DENY';
    return { route: 'fallback', result, sources: [], ...observed };
  }
  const { label, index, sources, combine, default: otherwise } = route;
  const more = sources.length - MAX_SOURCES;
  const modes = new Set(sources.map(name => onUnavailableOf(route, name, config)));
  modes.delete(undefined);
  const [onUnavailable] = modes.size > 1 ? ['mixed' as const] : modes;
  return {
    route: label,
    routeIndex: index,
    sources: sources.slice(0, MAX_SOURCES),
    ...(more > 0 ? { moreSources: more } : {}),
    combine,
    default: otherwise,
    ...(onUnavailable === undefined ? {} : { onUnavailable }),
    ...observed,
  };
}

/** What a source of a route counts as while it is unavailable; undefined if it cannot be. */
export function onUnavailableOf(
  route: Route,
  source: string,
  { sources }: Pick<RouterConfig, 'sources'>,
): OnUnavailable | undefined {
  const remote = sources.get(source)?.remote;
  return remote && (route.onUnavailable ?? remote.onUnavailable);
}

export const warningOf = ({
  code,
  place,
  subject,
  message,
}: ConfigWarning): Warning => ({
  code,
  place,
  ...(subject === undefined ? {} : { subject: cut(subject, 500) }),
  message,
});
