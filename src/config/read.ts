import { resolve } from 'node:path';
import type { z } from 'zod';
import type { OnUnavailable } from '../guard/chain';
import type { RemoteGuardOptions } from '../guard/remote-guard';
import { isJsonObject } from '../lib/json-object';
import { formatPrefix, parsePrefix } from '../routing/prefix';
import {
  badFailureModes,
  badStandbys,
  longTimeouts,
  oddities,
  ties,
  unknownSources,
} from './checks';
import {
  neverAbstaining,
  NOTHING_BROUGHT,
  unmatchedPolicies,
  type Brought,
} from './hosted';
import {
  mergeRoutingFile,
  TABLE_KEYS,
  type RoutingFileContent,
} from './merge-routing-file';
import { routeSchema, settingsSchema, sourceSchemas } from './schema';
import { sourceNameProblem } from '../sources/source-name';
import {
  BUILT_IN,
  CONFIG_PATH,
  ConfigError,
  type ConfigProblem,
  type Route,
  type RouterConfig,
  type SourceConfig,
} from './types';

export interface ReadConfig {
  readonly config: RouterConfig;
  /** Allowed, but perhaps not what was meant. */
  readonly warnings: readonly string[];
}

/**
 * Reads `permission.policyRouter`, with the table of `routingFile` if one is named.
 *
 * @param raw - the value at `permission.policyRouter`.
 * @param brought - the policies that other modules bring.
 * @throws ConfigError with every problem, each with its path and the allowed values.
 */
export function readConfig(
  raw: unknown,
  routingFile?: RoutingFileContent,
  brought: Brought = NOTHING_BROUGHT,
): ReadConfig {
  if (!routingFile) return new Reader(brought).read(raw);
  const { merged, problems } = mergeRoutingFile(raw, routingFile);
  return new Reader(brought, routingFile.path, problems).read(merged);
}

/** One pass over the config that gathers problems instead of stopping at the first. */
class Reader {
  private readonly problems: ConfigProblem[];

  /**
   * @param brought - the policies that other modules bring.
   * @param routingFile - where `fallback` and `routes` come from, if not inline.
   * @param problems - those known already.
   */
  constructor(
    private readonly brought: Brought,
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

    const sources = this.readSources(rawSources, globalMode);
    const routes = rawRoutes.map((route, index) => this.readRoute(route, index));
    const names = [...new Set([...BUILT_IN, ...Object.keys(rawSources)])];
    const findings = [
      ...unmatchedPolicies(rawSources, this.brought),
      ...badStandbys(rawSources, sources, names),
      ...(settings ? longTimeouts(sources, settings.deadline) : []),
      ...unknownSources(rawRoutes, names),
      ...badFailureModes(routes, sources),
      ...ties(routes),
    ];
    for (const { path, message } of findings) this.report(path, message);

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
    const warnings = [
      ...oddities(config),
      ...neverAbstaining(config, this.brought),
    ].map(({ path, message }) => `${this.pathOf(path)}: ${message}`);
    return { config, warnings };
  }

  private readSources(
    raw: Record<string, unknown>,
    globalMode: OnUnavailable,
  ): Map<string, SourceConfig> {
    const sources = new Map<string, SourceConfig>(
      BUILT_IN.map(type => [type, { type }]),
    );
    for (const [name, value] of Object.entries(raw)) {
      const path = ['sources', name];
      const problem = sourceNameProblem(name);
      if (problem !== undefined) {
        this.report(['sources'], problem);
        continue;
      }
      const source = this.readSource(value, path, globalMode);
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
        return {
          type,
          endpoints: baseUrl,
          options: { entrypoint, maxResponseBytes, token: auth?.token, tls },
          ...remoteSettings(parsed, globalMode),
        };
      }
      case 'hosted': {
        const parsed = this.parse(sourceSchemas.hosted, raw, path);
        return parsed && { type, ...remoteSettings(parsed, globalMode) };
      }
      case 'opa-wasm': {
        const parsed = this.parse(sourceSchemas[type], raw, path);
        if (!parsed) return undefined;
        return { type, options: { ...parsed, bundle: resolve(parsed.bundle) } };
      }
      case 'ownership': {
        const parsed = this.parse(sourceSchemas.ownership, raw, path);
        if (!parsed) return undefined;
        const { bypass = [], kinds, resources = {} } = parsed;
        return {
          type,
          options: { bypass, kinds, resources: new Map(Object.entries(resources)) },
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

/** What was read for a source that must be waited for, as its config has it. */
const remoteSettings = (
  {
    timeout,
    concurrency,
    queue,
    circuitBreaker,
    onUnavailable,
    standby,
  }: RemoteGuardOptions & {
    onUnavailable?: OnUnavailable | undefined;
    standby?: string | undefined;
  },
  globalMode: OnUnavailable,
) => ({
  guard: { timeout, concurrency, queue, circuitBreaker },
  onUnavailable: onUnavailable ?? globalMode,
  standby,
});
