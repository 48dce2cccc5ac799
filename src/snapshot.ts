/**
 * Everything one decision is made with: settings, routing table, guarded sources. A snapshot
 * is built completely, then swapped in; a decision keeps the one it began with. Sources whose
 * config is unchanged are carried over with their connections and their breaker; the others
 * close after the last decision that may ask them.
 */
import pLimit from 'p-limit';
import { conditionCheck } from './conditions/check';
import type { RuleDirectory } from './conditions/rule-directory';
import { observeOf } from './config/observe';
import { standbyChain } from './config/standby';
import {
  CONFIG_PATH,
  ConfigError,
  type ConfigProblem,
  type Observe,
  type Route,
  type RouterConfig,
} from './config/types';
import { Chain, type Link } from './guard/chain';
import type { Guard, GuardStatus } from './guard/guard';
import {
  guardedSource,
  type Endpoint,
  type SourceServices,
} from './guard/guarded-source';
import { canonical } from './lib/canonical';
import { Slices } from './lib/slices';
import { RoutingTable } from './routing/table';
import type { SourceConfig } from './sources/kind';
import type { OnUnavailable } from './verdict';

/** Sources that are set up at once: a bundle takes time to be read and compiled. */
const AT_ONCE = 16;

/** One source of a route, ready to be asked. */
export interface Leg {
  readonly name: string;
  readonly chain: Chain;
  /** The same chain beside the decisions, to explain one. */
  readonly aside: Chain;
  /** The same chain after the decisions, to compare it. */
  readonly shadow: Chain;
}

/** How a decision of a route is made once more, with another source in place of one of its own. */
export interface ReadyShadow {
  readonly replaced: string;
  /** The source in its place. */
  readonly by: string;
  /** Of the decisions, how many are compared; 1–100. */
  readonly percent: number;
  readonly legs: readonly Leg[];
}

/** What outlives a snapshot. */
export interface SnapshotServices extends SourceServices {
  readonly ruleDirectory: RuleDirectory;
}

/** Who answers while decisions are only recorded. */
export interface Answering {
  readonly observe: Observe;
  /** The source alone, fail-closed; its abstention is DENY. */
  readonly route: Pick<ReadyRoute, 'legs' | 'combine' | 'default'>;
}

export interface ReadyRoute extends Route {
  readonly legs: readonly Leg[];
  /** One for each of its sources that is compared with another one. */
  readonly shadows: readonly ReadyShadow[];
  /** Set if the route is observed, perhaps until a time that has passed. */
  readonly answering?: Answering | undefined;
}

/** A guarded source shared by the snapshots that use it. */
interface SharedSource {
  /** Equal for equal configs. */
  readonly key: string;
  readonly endpoints: readonly Endpoint[];
  holders: number;
}

/** How one source is, at one of its endpoints. */
export interface SourceStatus extends GuardStatus {
  readonly source: string;
  /** Its URL, if the source has several. */
  readonly endpoint: string | undefined;
}

type SharedSources = ReadonlyMap<string, SharedSource>;

export class Snapshot {
  private decisions = 0;
  private retired = false;
  private released = false;

  private constructor(
    readonly config: RouterConfig,
    readonly table: RoutingTable<ReadyRoute>,
    /** Set if the fallback is observed, perhaps until a time that has passed. */
    readonly answering: Answering | undefined,
    private readonly sources: SharedSources,
    private readonly services: SnapshotServices,
  ) {}

  /**
   * Sets up the sources, several at once, and the table, in slices between which decisions are
   * made.
   *
   * @param previous - the snapshot whose unchanged sources are carried over.
   * @throws ConfigError with each source that cannot be set up; nothing is left open then.
   */
  static async build(
    config: RouterConfig,
    services: SnapshotServices,
    previous?: Snapshot,
  ): Promise<Snapshot> {
    const slices = new Slices();
    const sources = await holdSources(config, services, previous?.sources, slices);
    try {
      const legs = new Legs(config, sources, services);
      const table = await readyTable(config, legs, slices);
      const answering = legs.answering(config.observe);
      return new Snapshot(config, table, answering, sources, services);
    } catch (error) {
      await releaseAll(sources);
      throw error;
    }
  }

  /** Makes one decision; its sources stay open until it has ended. */
  use<T>(decide: (snapshot: this) => T | Promise<T>): T | Promise<T> {
    this.decisions++;
    let decided: T | Promise<T> | undefined;
    try {
      decided = decide(this);
      return decided instanceof Promise ? this.whenEnded(decided) : decided;
    } finally {
      if (!(decided instanceof Promise)) this.end();
    }
  }

  private async whenEnded<T>(decided: Promise<T>): Promise<T> {
    try {
      return await decided;
    } finally {
      this.end();
    }
  }

  private end(): void {
    this.decisions--;
    this.releaseWhenDrained();
  }

  /** How each source is, at each of its endpoints; in the order of the config. */
  statuses(): SourceStatus[] {
    return [...this.sources].flatMap(([source, { endpoints }]) =>
      endpoints.map(({ endpoint, guard }) => ({ source, endpoint, ...guard.status() })),
    );
  }

  /** Whether its sources are closed, or about to be. */
  get isReleased(): boolean {
    return this.released;
  }

  /** From now on no source is asked to compare it; what is under way ends. */
  endShadows(): void {
    for (const { endpoints } of this.sources.values())
      for (const { guard } of endpoints) guard.shadow.close().catch(() => {});
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
      release(shared).catch((error: unknown) => {
        this.services.logger.warn(
          `Source '${name}' did not close cleanly: ${String(error)}`,
        );
      });
    }
  }
}

/**
 * The sources of the config, in its order, each with one holder more.
 *
 * @param previous - those that may be carried over.
 */
async function holdSources(
  config: RouterConfig,
  services: SnapshotServices,
  previous: SharedSources | undefined,
  slices: Slices,
): Promise<SharedSources> {
  const limit = pLimit(AT_ONCE);
  const setUps = new Map<string, Promise<SharedSource | ConfigProblem>>();
  await slices.each(config.sources, ([name, source]) => {
    const key = fingerprint(source);
    const carried = previous?.get(name);
    if (carried?.key === key) {
      carried.holders++;
      setUps.set(name, Promise.resolve(carried));
    } else {
      setUps.set(
        name,
        limit(async () => {
          if (slices.isOver()) await slices.next();
          return setUp(name, key, source, services);
        }),
      );
    }
  });
  const sources = new Map<string, SharedSource>();
  const problems: ConfigProblem[] = [];
  for (const [name, pending] of setUps) {
    const result = await pending;
    if ('message' in result) problems.push(result);
    else sources.set(name, result);
  }
  if (problems.length === 0) return sources;
  await releaseAll(sources);
  throw new ConfigError(problems);
}

const releaseAll = (sources: SharedSources): Promise<unknown> =>
  Promise.allSettled([...sources.values()].map(release));

/** One holder less; closed after the last one. */
async function release(shared: SharedSource): Promise<void> {
  shared.holders--;
  if (shared.holders > 0) return;
  await Promise.all(shared.endpoints.map(({ guard }) => guard.close()));
}

/** @returns what is wrong if it cannot be set up. */
async function setUp(
  name: string,
  key: string,
  config: SourceConfig,
  services: SourceServices,
): Promise<SharedSource | ConfigProblem> {
  try {
    return { key, endpoints: await guardedSource(name, config, services), holders: 1 };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = { routingFile: undefined, keys: ['sources', name] };
    return { path: `${CONFIG_PATH}.sources.${name}`, message, at };
  }
}

/** Of what a source is built from; failure mode and standby are read for each route. */
const fingerprint = ({ remote, ...config }: SourceConfig): string =>
  canonical(remote ? { ...config, guard: remote.guard } : config);

async function readyTable(
  config: RouterConfig,
  legs: Legs,
  slices: Slices,
): Promise<RoutingTable<ReadyRoute>> {
  const table = new RoutingTable<ReadyRoute>();
  await slices.each(config.routes, route => {
    const answering = legs.answering(observeOf(route, config));
    const ofNames = (names: readonly string[]): Leg[] =>
      names.map(name => legs.of(route, name));
    const shadows = shadowsOf(route, config).map(
      ({ sources: names, ...shadow }): ReadyShadow => ({
        ...shadow,
        legs: ofNames(names),
      }),
    );
    table.add({ ...route, legs: ofNames(route.sources), shadows, answering });
  });
  return table;
}

/** The sources of the route, with each replaced in turn that is compared with another one. */
function shadowsOf({ sources }: Route, { shadow }: RouterConfig) {
  if (shadow.size === 0) return [];
  return sources.flatMap(replaced => {
    const by = shadow.get(replaced);
    if (!by) return [];
    // The route may list the other source as well.
    const names = new Set(sources.map(name => (name === replaced ? by.source : name)));
    return [{ replaced, by: by.source, percent: by.percent, sources: [...names] }];
  });
}

interface GuardLink extends Link {
  readonly guard: Guard;
}

const beside = (link: GuardLink): Link => ({ ...link, guard: link.guard.aside });
const after = (link: GuardLink): Link => ({ ...link, guard: link.guard.shadow });

/** Routes that ask a source in the same way share one leg. */
class Legs {
  private readonly legs: Readonly<Record<OnUnavailable, Map<string, Leg>>> = {
    'fail-closed': new Map(),
    'fail-open': new Map(),
  };
  private readonly checkConditions;

  constructor(
    private readonly config: RouterConfig,
    private readonly sources: SharedSources,
    { ruleDirectory }: SnapshotServices,
  ) {
    this.checkConditions = conditionCheck(config, ruleDirectory);
  }

  of(route: Route, name: string): Leg {
    const remote = this.config.sources.get(name)?.remote;
    return this.by(route.onUnavailable ?? remote?.onUnavailable ?? 'fail-closed', name);
  }

  /** An outage of the source that answers under observe opens nothing. */
  answering(observe: Observe | undefined): Answering | undefined {
    if (!observe) return undefined;
    const legs = [this.by('fail-closed', observe.answer)];
    return { observe, route: { legs, combine: 'first-applicable', default: 'deny' } };
  }

  private by(onUnavailable: OnUnavailable, name: string): Leg {
    const known = this.legs[onUnavailable].get(name);
    if (known) return known;
    const [first, ...others] = standbyChain(name, this.config.sources).flatMap(
      (each, position) => this.links(each, position > 0),
    );
    if (!first) throw new Error(`there is no source '${name}'`);
    const { checkConditions } = this;
    const terms = { onUnavailable, checkConditions };
    const chain = new Chain([first, ...others], terms);
    const aside = new Chain([beside(first), ...others.map(beside)], terms);
    const shadow = new Chain([after(first), ...others.map(after)], terms);
    const leg = { name, chain, aside, shadow };
    this.legs[onUnavailable].set(name, leg);
    return leg;
  }

  private links(source: string, standby: boolean): GuardLink[] {
    const { endpoints = [] } = this.sources.get(source) ?? {};
    return endpoints.map(({ guard, endpoint }) => ({
      source,
      endpoint,
      standby,
      guard,
    }));
  }
}
