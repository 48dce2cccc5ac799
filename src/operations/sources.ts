import { standbyChain } from '../config/standby';
import type { RouterConfig } from '../config/types';
import type { BreakerState } from '../guard/breaker';
import type { SourceStatus } from '../snapshot';
import { isBuiltIn } from '../sources/kinds';
import { timeOf } from '../trace/facts';
import type { Failure, FailureClass } from '../verdict';

/** Of the routes that ask a source. */
const MAX_ROUTES = 50;

/** How one source is, as `GET sources` answers it. */
export interface SourceAnswer {
  readonly name: string;
  readonly type: string;
  /** Set if an outage of it is possible: what it counts as then, unless a route says otherwise. */
  readonly onUnavailable?: string;
  /** The source that decides while this one is unavailable or overloaded. */
  readonly standby?: string;
  readonly endpoints: readonly EndpointAnswer[];
  /** The labels of the routes that ask it, also as a standby; the first 50. */
  readonly routes: readonly string[];
  readonly routeCount: number;
}

export interface EndpointAnswer {
  /** Its URL, if the source has several. */
  readonly endpoint?: string;
  /** Epoch times are ISO 8601 in UTC. */
  readonly unavailableSince?: string;
  readonly breaker?: { readonly state: BreakerState; readonly since?: string };
  readonly inFlight?: number;
  readonly queued?: number;
  /** Since the process started, or the source was changed. */
  readonly asked: number;
  readonly failures: Readonly<Record<FailureClass, number>>;
  /** Of the latest 1024 answers. */
  readonly milliseconds?: { readonly p50: number; readonly p99: number };
  /** `cause`: why the breaker is open, if the last question was refused for that. */
  readonly lastFailure?: Pick<Failure, 'class' | 'code' | 'message' | 'cause'> & {
    readonly at: string;
  };
}

/** The sources of the config, in its order; the built-in ones only if a route names them. */
export function sourcesAnswer(
  { sources, routes }: RouterConfig,
  statuses: readonly SourceStatus[],
): SourceAnswer[] {
  const routesOf = new Map<string, Set<string>>();
  for (const route of routes) {
    for (const named of route.sources) {
      for (const name of standbyChain(named, sources)) {
        let labels = routesOf.get(name);
        if (!labels) routesOf.set(name, (labels = new Set()));
        labels.add(route.label);
      }
    }
  }
  const endpointsOf = new Map<string, EndpointAnswer[]>();
  for (const status of statuses) {
    const known = endpointsOf.get(status.source);
    if (known) known.push(endpointAnswer(status));
    else endpointsOf.set(status.source, [endpointAnswer(status)]);
  }
  return [...sources]
    .filter(([name]) => !isBuiltIn(name) || routesOf.has(name))
    .map(([name, { type, remote }]) => {
      const labels = [...(routesOf.get(name) ?? [])];
      return {
        name,
        type,
        ...(remote ? { onUnavailable: remote.onUnavailable } : {}),
        ...(remote?.standby === undefined ? {} : { standby: remote.standby }),
        endpoints: endpointsOf.get(name) ?? [],
        routes: labels.slice(0, MAX_ROUTES),
        routeCount: labels.length,
      };
    });
}

function endpointAnswer(status: SourceStatus): EndpointAnswer {
  const { endpoint, remote, unavailableSince, asked, failures } = status;
  const { milliseconds, lastFailure } = status;
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(unavailableSince === undefined
      ? {}
      : { unavailableSince: timeOf(unavailableSince) }),
    ...(remote
      ? {
          breaker: {
            state: remote.breaker.state,
            ...(remote.breaker.since === undefined
              ? {}
              : { since: timeOf(remote.breaker.since) }),
          },
          inFlight: remote.inFlight,
          queued: remote.queued,
        }
      : {}),
    asked,
    failures,
    ...(milliseconds ? { milliseconds } : {}),
    ...(lastFailure
      ? {
          lastFailure: {
            at: timeOf(lastFailure.at),
            class: lastFailure.class,
            code: lastFailure.code,
            message: lastFailure.message,
            ...(lastFailure.cause ? { cause: lastFailure.cause } : {}),
          },
        }
      : {}),
  };
}
