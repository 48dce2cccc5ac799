/**
 * Everything one decision is made with: settings, routing table, guarded sources. A snapshot
 * is built completely, then swapped in; a decision keeps the one it began with. Sources whose
 * config is unchanged are carried over with their connections and their breaker; the others
 * close after the last decision that may ask them.
 */
import { conditionCheck, type ConditionCheck } from './conditions/check';
import type { RuleDirectory } from './conditions/rule-directory';
import { standbyChain } from './config/standby';
import {
  CONFIG_PATH,
  ConfigError,
  type Route,
  type RouterConfig,
} from './config/types';
import { Chain, type Link } from './guard/chain';
import {
  guardedSource,
  type Endpoint,
  type SourceServices,
} from './guard/guarded-source';
import { canonical } from './lib/canonical';
import { RoutingTable } from './routing/table';
import type { SourceConfig } from './sources/kind';

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
        const key = fingerprint(source);
        const carried = previous?.sources.get(name);
        if (carried?.key === key) {
          sources.set(name, carried);
          continue;
        }
        const endpoints = await setUp(name, source, services);
        made.push(...endpoints);
        sources.set(name, { key, endpoints, holders: 0 });
      }
    } catch (error) {
      await Promise.all(made.map(({ guard }) => guard.close()));
      throw error;
    }
    return new Snapshot(config, sources, services);
  }

  /** Makes one decision; its sources stay open until it has ended. */
  async use<T>(decide: (snapshot: this) => T | Promise<T>): Promise<T> {
    this.decisions++;
    try {
      return await decide(this);
    } finally {
      this.decisions--;
      this.releaseWhenDrained();
    }
  }

  /** From now on no decision begins with it. */
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
    const remote = this.config.sources.get(name)?.remote;
    const onUnavailable = route.onUnavailable ?? remote?.onUnavailable ?? 'fail-closed';
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

/** @throws ConfigError naming the source if it cannot be set up. */
async function setUp(
  name: string,
  config: SourceConfig,
  services: SourceServices,
): Promise<readonly Endpoint[]> {
  try {
    return await guardedSource(name, config, services);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: `${CONFIG_PATH}.sources.${name}`, message }]);
  }
}

/** Of what a source is built from; failure mode and standby are read for each route. */
const fingerprint = ({ remote, ...config }: SourceConfig): string =>
  canonical(remote ? { ...config, guard: remote.guard } : config);
