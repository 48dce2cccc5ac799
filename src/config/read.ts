import type { z } from 'zod';
import { isJsonObject } from '../lib/json-object';
import { formatPrefix, parsePrefix } from '../routing/prefix';
import type {
  RemoteKind,
  RemoteSettings,
  SourceConfig,
  SourceKind,
} from '../sources/kind';
import { BUILT_IN, KINDS } from '../sources/kinds';
import { sourceNameProblem } from '../sources/source-name';
import type { OnUnavailable } from '../verdict';
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
  NOTHING_PROVIDED,
  unmatchedPolicies,
  type ProvidedPolicyInfo,
} from './hosted';
import {
  mergeRoutingFile,
  TABLE_KEYS,
  type RoutingFileContent,
} from './merge-routing-file';
import { routeSchema, settingsSchema } from './schema';
import {
  CONFIG_PATH,
  ConfigError,
  type ConfigProblem,
  type Route,
  type RouterConfig,
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
 * @param provided - the policies that other modules provide.
 * @throws ConfigError with every problem, each with its path and the allowed values.
 */
export function readConfig(
  raw: unknown,
  routingFile?: RoutingFileContent,
  provided: ProvidedPolicyInfo = NOTHING_PROVIDED,
): ReadConfig {
  if (!routingFile) return new Reader(provided).read(raw);
  const { merged, problems } = mergeRoutingFile(raw, routingFile);
  return new Reader(provided, routingFile.path, problems).read(merged);
}

/** One pass over the config that gathers problems instead of stopping at the first. */
class Reader {
  private readonly problems: ConfigProblem[];

  /**
   * @param provided - the policies that other modules provide.
   * @param routingFile - where `fallback` and `routes` come from, if not inline.
   * @param problems - those found before.
   */
  constructor(
    private readonly provided: ProvidedPolicyInfo,
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
    const builtIn = BUILT_IN.map(({ type }) => type);
    const names = [...new Set([...builtIn, ...Object.keys(rawSources)])];
    const findings = [
      ...unmatchedPolicies(rawSources, this.provided),
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
      ...neverAbstaining(config, this.provided),
    ].map(({ path, message }) => `${this.pathOf(path)}: ${message}`);
    return { config, warnings };
  }

  private readSources(
    raw: Record<string, unknown>,
    globalMode: OnUnavailable,
  ): Map<string, SourceConfig> {
    const sources = new Map<string, SourceConfig>(
      BUILT_IN.map(({ type }) => [type, { type, options: {} }]),
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
    const kind = KINDS.find(each => each.type === type);
    if (!kind) {
      const allowed = KINDS.map(each => `'${each.type}'`).join(', ');
      const got = typeof type === 'string' ? `, not '${type}'` : '';
      this.report([...path, 'type'], `must be one of ${allowed}${got}`);
      return undefined;
    }
    const parsed = this.parse(kind.schema, raw, path);
    return parsed === undefined
      ? undefined
      : sourceConfig(kind, parsed as { type: string }, globalMode);
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

/** Separates the settings that every remote source has from those of its kind. */
function sourceConfig(
  kind: SourceKind,
  { type, ...settings }: { readonly type: string },
  globalMode: OnUnavailable,
): SourceConfig {
  if (!kind.isRemote) return { type, options: settings };
  const {
    timeout,
    concurrency,
    queue,
    circuitBreaker,
    onUnavailable = globalMode,
    standby,
    ...options
  } = settings as RemoteSettings['guard'] & Partial<RemoteSettings>;
  return {
    type,
    options,
    remote: {
      guard: { timeout, concurrency, queue, circuitBreaker },
      onUnavailable,
      standby,
      endpoints: endpointsOf(kind, options),
    },
  };
}

const endpointsOf = (kind: RemoteKind, options: object): RemoteSettings['endpoints'] =>
  kind.endpoints?.(options as never) ?? [undefined];
