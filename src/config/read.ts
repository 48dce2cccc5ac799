import type { z } from 'zod';
import { cut } from '../lib/bounded';
import { isJsonObject } from '../lib/json-object';
import { escapeInvisible } from '../lib/quote';
import { Slices } from '../lib/slices';
import { routeLabel } from '../routing/label';
import { parseName, parsePrefix, type NamePattern } from '../prefix';
import type {
  RemoteKind,
  RemoteSettings,
  SourceConfig,
  SourceKind,
} from '../sources/kind';
import { BUILT_IN, KINDS } from '../sources/kinds';
import { normalizeRef } from '../sources/ownership-refs';
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
import type { Checking } from './checking';
import { digestOf } from './digest';
import { observeInFile, unknownAnswers } from './observe';
import { Findings, formatPath, type Finding, type Path } from './findings';
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
import { badShadows } from './shadow-config';
import {
  CONFIG_PATH,
  ConfigError,
  MAX_LENGTH,
  type ConfigProblem,
  type Route,
  type RouterConfig,
} from './types';
import { unsetVariable } from './unset';
import type { ConfigWarning, OddFinding } from './warnings';

const PREFIX_REQUIRED =
  "is required: a permission prefix such as 'catalog.entity', or '' for every permission; " +
  "or 'name', for one exact name";

export interface ReadConfig {
  readonly config: RouterConfig;
  /** Allowed, but perhaps not what was meant; at most 51, each of bounded length. */
  readonly warnings: readonly ConfigWarning[];
  /** Equal on replicas that decide by the same table and settings, see `digestOf`. */
  readonly digest: string;
}

/**
 * Reads `permission.policyRouter`, with the table of `routingFile` if one is named. A large table
 * is read in slices, between which everything else in the process runs.
 *
 * @param raw - the value at `permission.policyRouter`; must not change meanwhile.
 * @param provided - the policies that other modules provide.
 * @param slices - of the work that this reading is a part of.
 * @throws ConfigError with the problems, each with its path and the allowed values.
 */
export async function readConfig(
  raw: unknown,
  routingFile?: RoutingFileContent,
  provided: ProvidedPolicyInfo = NOTHING_PROVIDED,
  slices = new Slices(),
): Promise<ReadConfig> {
  if (!routingFile) return new Reader(provided, slices).read(raw);
  const { merged, problems } = mergeRoutingFile(raw, routingFile);
  return new Reader(provided, slices, routingFile.path, problems).read(merged);
}

/** One pass over the config that gathers problems instead of stopping at the first. */
class Reader {
  private readonly findings = new Findings();

  /**
   * @param provided - the policies that other modules provide.
   * @param routingFile - where `fallback` and `routes` come from, if not inline.
   * @param problems - those found before.
   */
  constructor(
    private readonly provided: ProvidedPolicyInfo,
    private readonly slices: Slices,
    private readonly routingFile?: string,
    private readonly problems: readonly ConfigProblem[] = [],
  ) {}

  async read(raw: unknown): Promise<ReadConfig> {
    const settings = this.parse(settingsSchema, raw, []);
    const rawSources =
      isJsonObject(raw) && isJsonObject(raw.sources) ? raw.sources : {};
    const rawRoutes: unknown[] =
      isJsonObject(raw) && Array.isArray(raw.routes) ? raw.routes : [];
    const globalMode = settings?.onUnavailable ?? 'fail-closed';
    if (this.slices.isOver()) await this.slices.next();

    const sources = await this.readSources(rawSources, globalMode);
    const routes: Array<Route | undefined> = [];
    await this.slices.each(rawRoutes, (route, index) => {
      routes.push(this.readRoute(route, index));
    });
    const builtIn = BUILT_IN.map(({ type }) => type);
    const names = new Set([...builtIn, ...Object.keys(rawSources)]);
    const checking = { findings: this.findings, slices: this.slices };
    await unmatchedPolicies(rawSources, this.provided, checking);
    await badStandbys(rawSources, sources, names, checking);
    if (settings) await longTimeouts(sources, settings.deadline, checking);
    await unknownSources(rawRoutes, names, checking);
    if (settings?.shadow) badShadows(settings.shadow, sources, names, checking);
    await unknownAnswers(raw, rawRoutes, names, checking);
    const isFile = this.routingFile !== undefined;
    const inFile = settings?.observeInRoutingFile;
    await observeInFile(inFile, isFile, rawRoutes, checking);
    await badFailureModes(routes, sources, checking);
    await ties(routes, checking);

    const { listed, count } = this.findings.list();
    const problemCount = this.problems.length + count;
    if (!settings || problemCount > 0) {
      throw new ConfigError(
        [...this.problems, ...listed.map(this.shown)],
        problemCount,
      );
    }
    const config: RouterConfig = {
      fallback: settings.fallback,
      observe: settings.observe,
      anonymous: settings.anonymous,
      deadline: settings.deadline,
      verifyConditions: settings.verifyConditions,
      maxConditionBytes: settings.maxConditionBytes,
      whenAskedWithoutResource: settings.whenAskedWithoutResource,
      declaredBy: settings.declared?.plugins ?? [],
      visibility: {
        operators: (settings.operators ?? []).map(normalizeRef),
        audit: settings.audit,
        recentDecisions: settings.recentDecisions,
      },
      shadow: settings.shadow ?? new Map(),
      sources,
      routes: routes as Route[],
    };
    const warnings = await this.warningsOf(config);
    return { config, warnings, digest: await digestOf(config, this.slices) };
  }

  private async warningsOf(config: RouterConfig): Promise<ConfigWarning[]> {
    const checking: Checking<OddFinding> = {
      findings: new Findings(),
      slices: this.slices,
    };
    await oddities(config, checking);
    await neverAbstaining(config, this.provided, checking);
    const { listed, count } = checking.findings.list();
    const warnings = listed.map((finding): ConfigWarning => {
      const shown = this.shown(finding);
      const { code, subject } = finding;
      const place = cut(shown.path, MAX_LENGTH);
      const message = cut(shown.message, MAX_LENGTH);
      const named = subject === undefined ? place : `${subject} (${place})`;
      const text = `${named}: ${message}`;
      return { code, place, subject, message, text, at: shown.at };
    });
    const more = count - warnings.length;
    if (more === 0) return warnings;
    const text = `and ${more} more warnings about the config`;
    const rest = { code: 'MORE_WARNINGS', place: CONFIG_PATH, message: text } as const;
    return [...warnings, { ...rest, text }];
  }

  private async readSources(
    raw: Record<string, unknown>,
    globalMode: OnUnavailable,
  ): Promise<Map<string, SourceConfig>> {
    const sources = new Map<string, SourceConfig>(
      BUILT_IN.map(({ type }) => [type, { type, options: {} }]),
    );
    await this.slices.each(Object.entries(raw), ([name, value]) => {
      const path = ['sources', name];
      const message = sourceNameProblem(name);
      if (message !== undefined) {
        this.findings.add({ path: ['sources'], message });
        return;
      }
      const source = this.readSource(value, path, globalMode);
      if (source) sources.set(name, source);
    });
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
      const got = typeof type === 'string' ? `, not '${cut(type)}'` : '';
      const message = `must be one of ${allowed}${got}`;
      this.findings.add({ path: [...path, 'type'], message });
      return undefined;
    }
    const parsed = this.parse(kind.schema, raw, path);
    return parsed === undefined
      ? undefined
      : sourceConfig(kind, parsed as { type: string }, globalMode);
  }

  private readRoute(raw: unknown, index: number): Route | undefined {
    const path = ['routes', index];
    const isOfOne = this.hasPrefixOrName(raw, path);
    const parsed = this.parse(routeSchema, raw, path);
    if (!parsed || !isOfOne) return undefined;
    const { prefix, name, ...route } = parsed;
    const pattern = this.readPattern(
      prefix === undefined ? ['name', name!] : ['prefix', prefix],
      path,
    );
    if (!pattern) return undefined;
    const row = { ...route, onUnavailable: route.onUnavailable, ...pattern, index };
    return { ...row, label: routeLabel(row) };
  }

  /** A route has exactly one of them. */
  private hasPrefixOrName(raw: unknown, path: Path): boolean {
    // What is not an object is an error of its own.
    if (!isJsonObject(raw)) return false;
    const hasPrefix = raw.prefix !== undefined;
    const hasName = raw.name !== undefined;
    if (hasPrefix !== hasName) return true;
    const [where, message] = hasPrefix
      ? [path, "has both 'prefix' and 'name'; keep one of them"]
      : [[...path, 'prefix'], PREFIX_REQUIRED];
    this.findings.add({ path: where, message, sameAs: message });
    return false;
  }

  private readPattern(
    [key, text]: readonly ['prefix' | 'name', string],
    path: Path,
  ): NamePattern | undefined {
    try {
      return key === 'name' ? parseName(text) : parsePrefix(text);
    } catch (error) {
      const why = (error as Error).message;
      const message = `'${cut(escapeInvisible(cut(text)))}' ${why}`;
      this.findings.add({ path: [...path, key], message, sameAs: `${key} ${why}` });
      return undefined;
    }
  }

  private parse<S extends z.ZodType>(
    schema: S,
    value: unknown,
    path: Path,
  ): z.output<S> | undefined {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const { path: inner, message, code } of parsed.error.issues) {
      const inside = inner as Array<string | number>;
      const whole = [...path, ...inside];
      const hint = this.mayBeVariable(whole) ? unsetVariable(value, inside) : '';
      this.findings.add({
        path: whole,
        message: `${message}${hint}`,
        sameAs: likeness(whole, code, message),
      });
    }
    return undefined;
  }

  /** Routes are written out, and in a routing file Backstage substitutes no variables. */
  private mayBeVariable([first]: Path): boolean {
    return first === 'sources' || (first === 'fallback' && !this.routingFile);
  }

  private readonly shown = ({ path, message }: Finding): ConfigProblem => {
    const fromFile =
      this.routingFile !== undefined &&
      (TABLE_KEYS as readonly unknown[]).includes(path[0]);
    const inside = formatPath(path);
    const at = { routingFile: fromFile ? this.routingFile : undefined, keys: path };
    if (fromFile) return { path: `${this.routingFile}: ${inside}`, message, at };
    return { path: `${CONFIG_PATH}${inside === '' ? '' : '.'}${inside}`, message, at };
  };
}

/** Equal for the same mistake in different routes, or in different items of their lists. */
function likeness(path: Path, code: string, message: string): string {
  const place = path.map(key => (typeof key === 'number' ? '#' : key)).join(' ');
  return `${place} ${QUOTING.has(code) ? code : message}`;
}

/** Mistakes whose message quotes the wrong value. */
const QUOTING = new Set(['invalid_value', 'invalid_format']);

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
