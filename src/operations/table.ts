import type { CombiningAlgorithm } from '../combining/algorithms';
import type { VerifyConditions } from '../conditions/check';
import { isObserving, observeOf } from '../config/observe';
import { observeWarnings } from '../config/observe-warnings';
import { standbyChain } from '../config/standby';
import type { Observe, Route, RouterConfig } from '../config/types';
import { strict } from '../lib/fields';
import { formatPattern, textOf } from '../prefix';
import type { InUse, Router } from '../router';
import type { Action } from '../routing/route';
import type { OnUnavailable } from '../verdict';
import { timeOf } from '../trace/facts';
import { onUnavailableOf, warningOf, type Warning } from './decider';
import { count } from './input';

/** In one answer. */
export const MAX_ROUTES = 1000;
/** Of each list of one route. */
const MAX_ITEMS = 100;
const MAX_STANDBYS = 10;

/** Decisions are only recorded, and the answer of a source is given. */
export interface TableObserve {
  /** The name of the source. */
  readonly answer: string;
  /** In ISO 8601. */
  readonly until: string;
  /** `ended`: decisions are enforced. */
  readonly state: 'observing' | 'ended';
}

/** A source of a route, without its settings. */
export interface TableSource {
  readonly name: string;
  readonly type: string;
  /** What decides while it is unavailable or overloaded, in this order; absent if nothing does. */
  readonly standbys?: readonly string[];
  /** What it counts as on this route while it is unavailable; absent if it cannot be. */
  readonly onUnavailable?: OnUnavailable;
}

export interface TableRoute {
  /** Its place in the list of the config, from 0. */
  readonly index: number;
  /** As decisions, logs and metrics name it. */
  readonly label: string;
  readonly pattern: {
    /** `name` is one exact name. */
    readonly kind: 'prefix' | 'name';
    /** As it can be written in the config; `*` matches every name. */
    readonly text: string;
  };
  /** Absent if it fits any action. */
  readonly actions?: readonly Action[];
  /** The first 100; absent if it fits any resource type, and basic permissions. */
  readonly resourceTypes?: readonly string[];
  /** The first 100, in the order they are asked. */
  readonly sources: readonly TableSource[];
  /** How many resource types and sources are not listed; absent if all are. */
  readonly leftOut?: number;
  readonly combine: CombiningAlgorithm;
  /** The result if every source abstains. */
  readonly default: 'allow' | 'deny';
  /** Absent if the decisions of the route are enforced. */
  readonly observe?: TableObserve;
}

/** The routing table in force, or a part of it. */
export interface Table {
  readonly digest: string;
  /** When it was loaded, in ISO 8601. */
  readonly loadedAt: string;
  readonly from: 'app-config' | 'routingFile';
  /** As configured; absent if the table is in app-config. */
  readonly routingFile?: string;
  /** Why a changed config is not used; absent if the latest one is in force. */
  readonly rejected?: string;
  /** For permissions that no route matches. */
  readonly fallback: 'allow' | 'deny';
  /** For the fallback, and for routes that say nothing of it; absent if that is enforced. */
  readonly observe?: TableObserve;
  readonly settings: {
    readonly anonymous: 'deny' | 'evaluate';
    /** Of a whole decision, in milliseconds. */
    readonly deadline: number;
    readonly verifyConditions: VerifyConditions;
    readonly whenAskedWithoutResource: 'allow' | 'deny';
    readonly maxConditionBytes: number;
  };
  readonly warnings: readonly Warning[];
  /** Of the whole table. */
  readonly totalRoutes: number;
  /** In the order of the config, which decides nothing. */
  readonly routes: readonly TableRoute[];
  /** The `from` of the next part; absent if this is the last one. */
  readonly next?: number;
}

/** The query of `GET table`. */
export const tableQuery = strict({
  from: count(0, Number.MAX_SAFE_INTEGER).optional(),
  limit: count(1, MAX_ROUTES).optional(),
});

/** Which part of the routes. */
export interface TablePart {
  /** Index of the first route. Default 0. */
  readonly from?: number | undefined;
  /** At most 1000. Default 1000. */
  readonly limit?: number | undefined;
}

/**
 * The table in force, without any setting of its sources.
 *
 * @param live - where it comes from, and whether a later one was refused.
 */
export function tableOf(
  { read, since }: InUse,
  { routingFile, rejected }: Pick<Router['live'], 'routingFile' | 'rejected'>,
  { from = 0, limit = MAX_ROUTES }: TablePart = {},
): Table {
  const { config, digest, warnings } = read;
  const { anonymous, deadline, verifyConditions } = config;
  const { whenAskedWithoutResource, maxConditionBytes } = config;
  const end = from + Math.min(limit, MAX_ROUTES);
  return {
    digest,
    loadedAt: since.toISOString(),
    from: routingFile === undefined ? 'app-config' : 'routingFile',
    ...(routingFile === undefined ? {} : { routingFile }),
    ...(rejected === undefined ? {} : { rejected }),
    fallback: config.fallback,
    ...observeAnswer(config.observe),
    settings: {
      anonymous,
      deadline,
      verifyConditions,
      whenAskedWithoutResource,
      maxConditionBytes,
    },
    warnings: [...observeWarnings(config, routingFile), ...warnings].map(warningOf),
    totalRoutes: config.routes.length,
    routes: config.routes.slice(from, end).map(route => rowOf(route, config)),
    ...(end < config.routes.length ? { next: end } : {}),
  };
}

function rowOf(route: Route, config: RouterConfig): TableRoute {
  const { index, label, kind, actions, resourceTypes, sources, combine } = route;
  const leftOut =
    Math.max((resourceTypes?.length ?? 0) - MAX_ITEMS, 0) +
    Math.max(sources.length - MAX_ITEMS, 0);
  return {
    index,
    label,
    pattern: {
      kind: kind === 'name' ? 'name' : 'prefix',
      text: kind === undefined ? formatPattern(route) : textOf(route),
    },
    ...(actions ? { actions } : {}),
    ...(resourceTypes ? { resourceTypes: resourceTypes.slice(0, MAX_ITEMS) } : {}),
    sources: sources.slice(0, MAX_ITEMS).map(name => sourceOf(route, name, config)),
    ...(leftOut > 0 ? { leftOut } : {}),
    combine,
    default: route.default,
    ...observeAnswer(observeOf(route, config)),
  };
}

function observeAnswer(observe: Observe | undefined): { observe?: TableObserve } {
  if (!observe) return {};
  const { answer, until } = observe;
  const state = isObserving(observe) ? 'observing' : 'ended';
  return { observe: { answer, until: timeOf(until), state } };
}

function sourceOf(route: Route, name: string, config: RouterConfig): TableSource {
  const [, ...standbys] = standbyChain(name, config.sources, MAX_STANDBYS + 1);
  const onUnavailable = onUnavailableOf(route, name, config);
  return {
    name,
    type: config.sources.get(name)!.type,
    ...(standbys.length > 0 ? { standbys } : {}),
    ...(onUnavailable === undefined ? {} : { onUnavailable }),
  };
}
