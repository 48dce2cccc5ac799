/**
 * Everything one decision is made with: settings, routing table, guarded sources. A snapshot
 * is built completely, then swapped in; a decision keeps the one it began with. Sources whose
 * config is unchanged are carried over with their connections and their breaker; the others
 * close after the last decision that may ask them.
 */
import { canonical } from './lib/canonical';
import { standbyChain } from './config/standby';
import {
  isRemote,
  type Route,
  type RouterConfig,
  type SourceConfig,
} from './config/types';
import { conditionCheck, type ConditionCheck } from './conditions/check';
import type { RuleDirectory } from './conditions/rule-directory';
import { Chain, type Link } from './guard/chain';
import {
  guardedSource,
  type Endpoint,
  type SourceServices,
} from './guard/guarded-source';
import { RoutingTable } from './routing/table';

/** One source of a route, ready to be asked. */
export interface Leg {
  readonly name: string;
  readonly chain: Chain;
}

/** What outlives a snapshot. */
export interface SnapshotServices extends SourceServices {
  readonly ruleDirectory: RuleDirectory;
}

export interface ReadyRoute extends Route {
  readonly legs: readonly Leg[];
}

/** A guarded source shared by the snapshots that use it. */
interface SharedSource {
  /** Equal for equal configs. */
  readonly key: string;
  readonly endpoints: readonly Endpoint[];
  holders: number;
}

export class Snapshot {
  readonly table: RoutingTable<ReadyRoute>;
  private decisions = 0;
  private retired = false;
  private released = false;

  private constructor(
    readonly config: RouterConfig,
    private readonly sources: ReadonlyMap<string, SharedSource>,
    private readonly services: SnapshotServices,
  ) {
    for (const shared of sources.values()) shared.holders++;
    const checkConditions = conditionCheck(config, services.ruleDirectory);
    this.table = new RoutingTable(
      config.routes.map(route => ({
        ...route,
        legs: route.sources.map(name => this.leg(route, name, checkConditions)),
      })),
    );
  }

  /**
   * @param previous - the snapshot whose unchanged sources are carried over.
   * @throws ConfigError if a source cannot be set up; nothing is left open then.
   */
  static async build(
    config: RouterConfig,
    services: SnapshotServices,
    previous?: Snapshot,
  ): Promise<Snapshot> {
    const sources = new Map<string, SharedSource>();
    const made: Endpoint[] = [];
    try {
      for (const [name, source] of config.sources) {
        const key = keyOf(source);
        const carried = previous?.sources.get(name);
        if (carried?.key === key) {
          sources.set(name, carried);
          continue;
        }
        const endpoints = await guardedSource(name, source, services);
        made.push(...endpoints);
        sources.set(name, { key, endpoints, holders: 0 });
      }
    } catch (error) {
      await Promise.all(made.map(({ guard }) => guard.close()));
      throw error;
    }
    return new Snapshot(config, sources, services);
  }

  /** A decision begins; it must call `leave` when it has ended. */
  enter(): this {
    this.decisions++;
    return this;
  }

  leave(): void {
    this.decisions--;
    this.releaseWhenDrained();
  }

  /** No decision begins with it any more. */
  retire(): void {
    this.retired = true;
    this.releaseWhenDrained();
  }

  private releaseWhenDrained(): void {
    if (!this.retired || this.decisions > 0 || this.released) return;
    this.released = true;
    for (const [name, shared] of this.sources) {
      shared.holders--;
      if (shared.holders > 0) continue;
      Promise.all(shared.endpoints.map(({ guard }) => guard.close())).catch(
        (error: unknown) => {
          this.services.logger.warn(
            `Source '${name}' did not close cleanly: ${String(error)}`,
          );
        },
      );
    }
  }

  private leg(route: Route, name: string, checkConditions: ConditionCheck): Leg {
    const source = this.config.sources.get(name);
    const ofSource = isRemote(source) ? source.onUnavailable : 'fail-closed';
    const onUnavailable = route.onUnavailable ?? ofSource;
    const [first, ...others] = standbyChain(name, this.config.sources).flatMap(
      (each, position) => this.links(each, position > 0),
    );
    if (!first) throw new Error(`${route.label} names unknown source '${name}'`);
    return {
      name,
      chain: new Chain([first, ...others], { onUnavailable, checkConditions }),
    };
  }

  private links(source: string, standby: boolean): Link[] {
    const { endpoints = [] } = this.sources.get(source) ?? {};
    return endpoints.map(({ guard, endpoint }) => ({
      source,
      endpoint,
      standby,
      guard,
    }));
  }
}

/** What a source is built from; failure mode and standby are read per route. */
const keyOf = (config: SourceConfig): string =>
  canonical(
    isRemote(config)
      ? { ...config, onUnavailable: undefined, standby: undefined }
      : config,
  );
