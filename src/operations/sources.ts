import { standbyChain } from '../config/standby';
import { observeOf } from '../config/observe';
import type { RouterConfig } from '../config/types';
import type { BreakerState } from '../guard/breaker';
import type { RemoteStatus } from '../guard/guard';
import { Slices } from '../lib/slices';
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
  /** Set if the config has `batch`; `problem`, for operators only: why it is not used. */
  readonly batch?: { readonly works: boolean; readonly problem?: string };
  /** Since the process started, or the source was changed. */
  readonly asked: number;
  readonly failures: Readonly<Record<FailureClass, number>>;
  /** Of the latest 1024 answers. */
  readonly milliseconds?: { readonly p50: number; readonly p99: number };
  /** `cause`: why the breaker is open, if the last question was refused for that. */
  readonly lastFailure?: Pick<Failure, 'class' | 'code'> & {
    readonly at: string;
    /** For operators only, like `cause`: it may quote a decision. */
    readonly message?: string;
    readonly cause?: Failure['cause'];
  };
}

/**
 * The sources of the config, in its order; the built-in ones only if a route names them. Works in
 * slices.
 *
 * @param isOperator - whether the caller may know more of failures than class and code.
 */
export async function sourcesAnswer(
  { sources, routes, observe }: Used,
  statuses: readonly SourceStatus[],
  isOperator: boolean,
  slices = new Slices(),
): Promise<SourceAnswer[]> {
  const usage = await usageOf({ sources, routes, observe }, slices);
  const endpointsOf = new Map<string, EndpointAnswer[]>();
  await slices.each(statuses, status => {
    const answer = endpointAnswer(status, isOperator);
    const known = endpointsOf.get(status.source);
    if (known) known.push(answer);
    else endpointsOf.set(status.source, [answer]);
  });
  return [...sources]
    .filter(([name]) => !isBuiltIn(name) || usage.has(name))
    .map(([name, { type, remote }]) => ({
      name,
      type,
      ...(remote ? { onUnavailable: remote.onUnavailable } : {}),
      ...(remote?.standby === undefined ? {} : { standby: remote.standby }),
      endpoints: endpointsOf.get(name) ?? [],
      routes: usage.get(name)?.labels ?? [],
      routeCount: usage.get(name)?.count ?? 0,
    }));
}

type Used = Pick<RouterConfig, 'sources' | 'routes' | 'observe'>;

interface Usage {
  /** The first 50. */
  readonly labels: string[];
  count: number;
  /** The last route that was counted. */
  route: number;
}

/** By source: the routes that ask it, also as a standby. */
async function usageOf(
  config: Used,
  slices: Slices,
): Promise<ReadonlyMap<string, Usage>> {
  const chains = new Map<string, readonly string[]>();
  const usages = new Map<string, Usage>();
  const { sources, routes } = config;
  await slices.each(routes, route => {
    const { sources: named, label, index } = route;
    const answer = observeOf(route, config)?.answer;
    for (const first of answer === undefined ? named : [...named, answer]) {
      let chain = chains.get(first);
      if (!chain) chains.set(first, (chain = standbyChain(first, sources)));
      for (const name of chain) {
        let usage = usages.get(name);
        if (!usage) usages.set(name, (usage = { labels: [], count: 0, route: -1 }));
        // Two sources of a route may have the same standby.
        if (usage.route === index) continue;
        usage.route = index;
        usage.count++;
        if (usage.labels.length < MAX_ROUTES) usage.labels.push(label);
      }
    }
  });
  return usages;
}

function endpointAnswer(status: SourceStatus, isOperator: boolean): EndpointAnswer {
  const { endpoint, remote, unavailableSince, asked, failures } = status;
  const { lastFailure } = status;
  const milliseconds = status.percentiles();
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
          ...(remote.batch ? { batch: batchAnswer(remote.batch, isOperator) } : {}),
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
            ...(isOperator
              ? {
                  message: lastFailure.message,
                  ...(lastFailure.cause ? { cause: lastFailure.cause } : {}),
                }
              : {}),
          },
        }
      : {}),
  };
}

const batchAnswer = (
  { problem }: NonNullable<RemoteStatus['batch']>,
  isOperator: boolean,
): NonNullable<EndpointAnswer['batch']> => ({
  works: problem === undefined,
  ...(problem !== undefined && isOperator ? { problem } : {}),
});
