import { resolve } from 'node:path';
import type { z } from 'zod';
import type { OnUnavailable } from '../guard/guard';
import { isJsonObject } from '../json-object';
import { findCoverageGaps } from '../routing/coverage';
import { formatPrefix, parsePrefix } from '../routing/prefix';
import { findTies } from '../routing/table';
import {
  mergeRoutingFile,
  TABLE_KEYS,
  type RoutingFileContent,
} from './merge-routing-file';
import { routeSchema, settingsSchema, sourceSchemas } from './schema';
import {
  CONFIG_PATH,
  ConfigError,
  type ConfigProblem,
  type Route,
  type RouterConfig,
  type SourceConfig,
} from './types';

/** Sources every table can name without configuring them. */
const BUILT_IN = ['allow', 'deny'] as const;

export interface ReadConfig {
  readonly config: RouterConfig;
  /** Allowed, but perhaps not what was meant. */
  readonly warnings: readonly string[];
}

/**
 * Reads `permission.policyRouter`, with the table of `routingFile` if one is named.
 *
 * @param raw - the value at `permission.policyRouter`.
 * @throws ConfigError with every problem, each with its path and the allowed values.
 */
export function readConfig(raw: unknown, routingFile?: RoutingFileContent): ReadConfig {
  if (!routingFile) return new Reader().read(raw);
  const { merged, problems } = mergeRoutingFile(raw, routingFile);
  return new Reader(routingFile.path, problems).read(merged);
}

/** One pass over the config that gathers problems instead of stopping at the first. */
class Reader {
  private readonly problems: ConfigProblem[];

  /**
   * @param routingFile - where `fallback` and `routes` come from, if not inline.
   * @param problems - those known already.
   */
  constructor(
    private readonly routingFile?: string,
    problems: readonly ConfigProblem[] = [],
  ) {
    this.problems = [...problems];
  }

  read(raw: unknown): ReadConfig {
    const settings = this.parse(settingsSchema, raw, []);
    const rawSources =
      isJsonObject(raw) && isJsonObject(raw.sources) ? raw.sources : {};
    const rawRoutes: unknown[] =
      isJsonObject(raw) && Array.isArray(raw.routes) ? raw.routes : [];
    const globalMode = settings?.onUnavailable ?? 'fail-closed';

    const sources = this.readSources(rawSources, globalMode, settings?.deadline);
    const routes = rawRoutes.map((route, index) => this.readRoute(route, index));
    const names = [...new Set([...BUILT_IN, ...Object.keys(rawSources)])];
    rawRoutes.forEach((route, index) => this.checkSourceNames(route, index, names));
    routes.forEach((route, index) => {
      if (route) this.checkFailureModes(route, index, sources);
    });
    this.checkTies(routes);

    if (!settings || this.problems.length > 0) throw new ConfigError(this.problems);
    const config: RouterConfig = {
      fallback: settings.fallback,
      anonymous: settings.anonymous,
      deadline: settings.deadline,
      verifyConditions: settings.verifyConditions,
      maxConditionBytes: settings.maxConditionBytes,
      sources,
      routes: routes as Route[],
    };
    return { config, warnings: this.findWarnings(config) };
  }

  private readSources(
    raw: Record<string, unknown>,
    globalMode: OnUnavailable,
    deadline: number | undefined,
  ): Map<string, SourceConfig> {
    const sources = new Map<string, SourceConfig>(
      BUILT_IN.map(type => [type, { type }]),
    );
    for (const [name, value] of Object.entries(raw)) {
      const path = ['sources', name];
      if ((BUILT_IN as readonly string[]).includes(name)) {
        this.report(path, `the name '${name}' is taken by the built-in source`);
        continue;
      }
      const source = this.readSource(value, path, globalMode);
      if (
        source?.type === 'opa' &&
        deadline !== undefined &&
        source.guard.timeout >= deadline
      ) {
        this.report(
          [...path, 'timeout'],
          `${source.guard.timeout} ms is not shorter than the deadline of a whole decision, ${deadline} ms`,
        );
      }
      if (source) sources.set(name, source);
    }
    return sources;
  }

  private readSource(
    raw: unknown,
    path: readonly string[],
    globalMode: OnUnavailable,
  ): SourceConfig | undefined {
    const type = isJsonObject(raw) ? raw.type : undefined;
    switch (type) {
      case 'opa': {
        const parsed = this.parse(sourceSchemas.opa, raw, path);
        if (!parsed) return undefined;
        const { baseUrl, entrypoint, maxResponseBytes, auth, tls } = parsed;
        const { timeout, concurrency, queue, circuitBreaker } = parsed;
        return {
          type,
          options: { baseUrl, entrypoint, maxResponseBytes, token: auth?.token, tls },
          guard: { timeout, concurrency, queue, circuitBreaker },
          onUnavailable: parsed.onUnavailable ?? globalMode,
        };
      }
      case 'opa-wasm': {
        const parsed = this.parse(sourceSchemas[type], raw, path);
        if (!parsed) return undefined;
        return { type, options: { ...parsed, bundle: resolve(parsed.bundle) } };
      }
      case 'ownership': {
        const parsed = this.parse(sourceSchemas.ownership, raw, path);
        if (!parsed) return undefined;
        const { bypass = [], resources = {} } = parsed;
        return {
          type,
          options: { bypass, resources: new Map(Object.entries(resources)) },
        };
      }
      default: {
        const allowed = Object.keys(sourceSchemas)
          .map(each => `'${each}'`)
          .join(', ');
        const got = typeof type === 'string' ? `, not '${type}'` : '';
        this.report([...path, 'type'], `must be one of ${allowed}${got}`);
        return undefined;
      }
    }
  }

  private readRoute(raw: unknown, index: number): Route | undefined {
    const path = ['routes', index];
    const parsed = this.parse(routeSchema, raw, path);
    if (!parsed) return undefined;
    try {
      const segments = parsePrefix(parsed.prefix);
      const label = `routes[${index}] '${formatPrefix(segments)}'`;
      return { ...parsed, onUnavailable: parsed.onUnavailable, segments, label };
    } catch (error) {
      this.report(
        [...path, 'prefix'],
        `'${parsed.prefix}' ${(error as Error).message}`,
      );
      return undefined;
    }
  }

  /** On the raw route, so that another mistake in it hides no unknown source. */
  private checkSourceNames(
    route: unknown,
    index: number,
    names: readonly string[],
  ): void {
    const sources: unknown[] =
      isJsonObject(route) && Array.isArray(route.sources) ? route.sources : [];
    sources.forEach((name, position) => {
      if (typeof name !== 'string' || name === '' || names.includes(name)) return;
      const allowed = names.map(each => `'${each}'`).join(', ');
      this.report(
        ['routes', index, 'sources', position],
        `unknown source '${name}'; allowed: ${allowed}`,
      );
    });
  }

  private checkFailureModes(
    route: Route,
    index: number,
    sources: ReadonlyMap<string, SourceConfig>,
  ): void {
    const modes = route.sources.flatMap(name => {
      const source = sources.get(name);
      return source?.type === 'opa'
        ? [route.onUnavailable ?? source.onUnavailable]
        : [];
    });
    const allKnown = route.sources.every(name => sources.has(name));
    if (allKnown && route.onUnavailable !== undefined && modes.length === 0) {
      this.report(
        ['routes', index, 'onUnavailable'],
        'has no effect: none of the sources of this route can be unavailable',
      );
    }
    if (
      route.sources.length > 1 &&
      route.combine !== 'deny-overrides' &&
      modes.includes('fail-open')
    ) {
      this.report(
        ['routes', index, 'onUnavailable'],
        `fail-open would silence the healthy sources of a route that combines by ${route.combine}; ` +
          "allowed: 'fail-closed', or combine: deny-overrides",
      );
    }
  }

  private checkTies(routes: ReadonlyArray<Route | undefined>): void {
    const indexed = routes.flatMap((route, index) => (route ? [{ route, index }] : []));
    for (const [first, second] of findTies(indexed.map(({ route }) => route))) {
      const [a, b] = [indexed[first]!, indexed[second]!];
      this.report(
        ['routes', b.index],
        `ties with routes[${a.index}]: prefix '${formatPrefix(a.route.segments)}' and number of constraints are ` +
          'equal and some permission fits both; make their actions or resourceTypes disjoint',
      );
    }
  }

  private findWarnings(config: RouterConfig): string[] {
    const gaps = findCoverageGaps(
      config.routes,
      `the fallback (${config.fallback})`,
    ).map(({ route, message }) => `${this.pathOf(['routes', route])}: ${message}`);
    const unusual = config.routes.flatMap(({ segments }, index) => {
      const odd = /[^A-Za-z0-9_.-]/u.exec(segments.join('.'));
      if (!odd) return [];
      const path = this.pathOf(['routes', index, 'prefix']);
      return [
        `${path}: contains '${odd[0]}'; names of permissions are words joined by '.'`,
      ];
    });
    const used = new Set(config.routes.flatMap(route => route.sources));
    const unused = [...config.sources.keys()]
      .filter(
        name => !used.has(name) && !(BUILT_IN as readonly string[]).includes(name),
      )
      .map(name => `${this.pathOf(['sources', name])}: no route names this source`);
    return [...gaps, ...unusual, ...unused];
  }

  private parse<S extends z.ZodType>(
    schema: S,
    value: unknown,
    path: ReadonlyArray<string | number>,
  ): z.output<S> | undefined {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      this.report([...path, ...(issue.path as Array<string | number>)], issue.message);
    }
    return undefined;
  }

  private report(path: ReadonlyArray<string | number>, message: string): void {
    this.problems.push({ path: this.pathOf(path), message });
  }

  private pathOf(path: ReadonlyArray<string | number>): string {
    const fromFile =
      this.routingFile !== undefined &&
      (TABLE_KEYS as readonly unknown[]).includes(path[0]);
    return path.reduce<string>(
      (whole, key, position) => {
        if (typeof key === 'number') return `${whole}[${key}]`;
        return position === 0 && fromFile ? `${whole}: ${key}` : `${whole}.${key}`;
      },
      fromFile ? this.routingFile : CONFIG_PATH,
    );
  }
}
