import { observeOf } from '../config/observe';
import { observeWarnings } from '../config/observe-warnings';
import { Findings, formatPath, type Path } from '../config/findings';
import type { ReadConfig } from '../config/read';
import { parseRoutingTable } from '../config/routing-file';
import {
  ConfigError,
  type ConfigProblem,
  type Route,
  type RouterConfig,
} from '../config/types';
import type { DeclaredState } from '../declared/declared-permissions';
import { cut } from '../lib/bounded';
import { canonical } from '../lib/canonical';
import { strict, text } from '../lib/fields';
import { Slices } from '../lib/slices';
import type { Router } from '../router';
import { listDeclared } from '../routing/declared-routes';
import { RoutingTable } from '../routing/table';
import { fieldsOf, type PermissionFields } from '../trace/facts';
import type { RecentDecision } from '../trace/recent';
import { unknownPlugins, type UnknownPlugin } from './coverage';
import {
  deciderOf,
  onUnavailableOf,
  warningOf,
  type Decider,
  type Warning,
} from './decider';

/** Of changed permissions, and of changed decisions, this many are listed. */
export const MAX_CHANGES = 1000;

/** What errors call the proposed table. */
const PROPOSED = 'proposed';

/** The body of `POST diff`. */
export const diffBody = strict({
  routing: text('the text of a routing file: fallback and routes, in YAML'),
});

/** A declared permission that the proposed table decides differently. */
export interface ChangedPermission extends PermissionFields {
  readonly plugin: string;
  /** What decides it by the table in force. */
  readonly from: Decider;
  /** What would decide it. */
  readonly to: Decider;
}

/** A recent decision that the proposed table would make in another way. */
export interface ChangedDecision {
  /** As the recent decisions are numbered. */
  readonly number: number;
  /** As it was decided. */
  readonly permission: PermissionFields;
  /** Absent for an anonymous request. */
  readonly user?: string;
  /** What was decided. What would be decided is not known: nobody is asked. */
  readonly result: RecentDecision['result'];
  /** What decides it by the table in force. */
  readonly from: Decider;
  /** What would decide it. */
  readonly to: Decider;
}

/** A proposed routing table, compared with the one in force. */
export interface Diff {
  /** Whether the table could be taken into use. If not, there is nothing but `errors`. */
  readonly valid: boolean;
  /** At most 50. */
  readonly errors: ReadonlyArray<Pick<ConfigProblem, 'path' | 'message'>>;
  readonly warnings: readonly Warning[];
  /** Of the table in force. */
  readonly digestInForce: string;
  /** Of the proposed table with the settings in force; absent if it is not valid. */
  readonly digest?: string;
  /** At most 1000. */
  readonly permissions: readonly ChangedPermission[];
  /** From the oldest to the newest, at most 1000. */
  readonly decisions: readonly ChangedDecision[];
  /** The plugins that cannot be read now: not all that they declare is compared. */
  readonly unknownPlugins: readonly UnknownPlugin[];
  readonly counts: {
    readonly errors: number;
    readonly routes: number;
    /** Declared permissions that were compared; at most 10,000. */
    readonly permissions: number;
    readonly permissionsChanged: number;
    /** Declared permissions that were not compared, because there are more than 10,000. */
    readonly permissionsLeftOut: number;
    /** Recent decisions that were compared: those that came to a route or to the fallback. */
    readonly decisions: number;
    readonly decisionsChanged: number;
  };
}

export interface DiffInput {
  readonly live: Pick<Router['live'], 'propose'>;
  readonly inForce: Pick<ReadConfig, 'config' | 'digest'>;
  /** In force. */
  readonly table: Pick<RoutingTable<Route>, 'match'>;
  readonly declared: DeclaredState;
  readonly recent: readonly RecentDecision[];
}

/**
 * What would change if the table were in force. Nobody is asked, and nothing is changed. The text is
 * parsed in a thread of its own, and the rest is done in slices.
 *
 * @param yaml - fallback and routes, as a routing file has them; at most 1 MiB.
 */
export async function diffOf(yaml: string, input: DiffInput): Promise<Diff> {
  const { inForce, declared, recent } = input;
  const slices = new Slices();
  const proposed = await readProposed(yaml, input.live, slices);
  if (proposed instanceof ConfigError) return refused(proposed, input);
  const changes = new Changes(input, await sideOf(proposed.config, slices));

  const { listed, leftOut } = await listDeclared(declared, slices);
  const permissions: ChangedPermission[] = [];
  let permissionsChanged = 0;
  await slices.each(listed, ({ pluginId, permission }) => {
    const change = changes.of(permission);
    if (!change) return;
    permissionsChanged += 1;
    if (permissions.length === MAX_CHANGES) return;
    permissions.push({
      plugin: pluginId,
      ...fieldsOf(permission),
      ...change(),
    });
  });

  const decisions: ChangedDecision[] = [];
  let compared = 0;
  let decisionsChanged = 0;
  await slices.each(recent, ({ number, permission, route, user, result }) => {
    if (!permission || route === undefined) return;
    compared += 1;
    const change = changes.of(permission);
    if (!change) return;
    decisionsChanged += 1;
    if (decisions.length === MAX_CHANGES) decisions.shift();
    decisions.push({
      number,
      permission: fieldsOf(permission),
      ...(user === undefined ? {} : { user: cut(user, 500) }),
      result,
      ...change(),
    });
  });

  return {
    valid: true,
    errors: [],
    warnings: [...observeWarnings(proposed.config, PROPOSED), ...proposed.warnings].map(
      warningOf,
    ),
    digestInForce: inForce.digest,
    digest: proposed.digest,
    permissions,
    decisions,
    unknownPlugins: unknownPlugins(declared),
    counts: {
      errors: 0,
      routes: proposed.config.routes.length,
      permissions: listed.length,
      permissionsChanged,
      permissionsLeftOut: leftOut,
      decisions: compared,
      decisionsChanged,
    },
  };
}

const refused = (
  { problems, count }: ConfigError,
  { inForce, declared }: DiffInput,
): Diff => ({
  valid: false,
  errors: problems.map(({ path, message }) => ({ path, message })),
  warnings: [],
  digestInForce: inForce.digest,
  permissions: [],
  decisions: [],
  unknownPlugins: unknownPlugins(declared),
  counts: {
    errors: count,
    routes: 0,
    permissions: 0,
    permissionsChanged: 0,
    permissionsLeftOut: 0,
    decisions: 0,
    decisionsChanged: 0,
  },
});

/** @returns what is wrong, if it cannot be used. */
async function readProposed(
  yaml: string,
  live: DiffInput['live'],
  slices: Slices,
): Promise<ReadConfig | ConfigError> {
  let content: unknown;
  try {
    content = await parseRoutingTable(yaml);
  } catch (error) {
    return new ConfigError([{ path: PROPOSED, message: (error as Error).message }]);
  }
  const unresolved = await findUnresolved(content, slices);
  if (unresolved) return unresolved;
  try {
    return await live.propose({ path: PROPOSED, content });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** What app-config would read from elsewhere. A table that comes by the API must not read anything. */
const UNRESOLVED: ReadonlySet<string> = new Set(['$include', '$file', '$env']);

async function findUnresolved(
  content: unknown,
  slices: Slices,
): Promise<ConfigError | undefined> {
  const findings = new Findings();
  const found: Array<readonly [value: object, path: Path]> = [];
  const enter = (value: unknown, path: Path): void => {
    if (typeof value === 'object' && value !== null) found.push([value, path]);
  };
  enter(content, []);
  // What they contain is found meanwhile.
  for (const [value, path] of found) {
    const isList = Array.isArray(value);
    for (const key in value) {
      if (slices.isOver()) await slices.next();
      const item = (value as Record<string, unknown>)[key];
      if (!isList && UNRESOLVED.has(key)) {
        const message = `'${key}' is not supported here; write out what it stands for`;
        findings.add({ path, message, sameAs: message });
      }
      enter(item, [...path, isList ? Number(key) : key]);
    }
  }
  const { listed, count } = findings.list();
  if (count === 0) return undefined;
  const problems = listed.map(({ path, message }) => {
    const inside = formatPath(path);
    return { path: inside === '' ? PROPOSED : `${PROPOSED}: ${inside}`, message };
  });
  return new ConfigError(problems, count);
}

/** One of the two tables that are compared. */
interface Side {
  readonly table: Pick<RoutingTable<Route>, 'match'>;
  readonly config: Pick<RouterConfig, 'fallback' | 'sources' | 'observe'>;
}

async function sideOf(config: RouterConfig, slices: Slices): Promise<Side> {
  const table = new RoutingTable<Route>();
  await slices.each(config.routes, route => table.add(route));
  return { table, config };
}

class Changes {
  private readonly from: Side;
  private readonly keys = new Map<Route, string>();

  constructor(
    { table, inForce }: DiffInput,
    private readonly to: Side,
  ) {
    this.from = { table, config: inForce.config };
  }

  /** What it changes from and to; undefined if it is decided as before. */
  of(
    permission: Parameters<Side['table']['match']>[0],
  ): (() => { readonly from: Decider; readonly to: Decider }) | undefined {
    const { from, to } = this;
    const [before, after] = [from.table.match(permission), to.table.match(permission)];
    if (this.keyOf(before, from) === this.keyOf(after, to)) return undefined;
    return () => ({
      from: deciderOf(before, from.config),
      to: deciderOf(after, to.config),
    });
  }

  /** Equal for what decides in the same way; the place in the list decides nothing. */
  private keyOf(route: Route | undefined, { config }: Side): string {
    if (!route) return canonical([config.fallback, observeOf(undefined, config)]);
    let key = this.keys.get(route);
    if (key === undefined) this.keys.set(route, (key = keyOf(route, config)));
    return key;
  }
}

function keyOf(route: Route, config: Side['config']): string {
  const { segments, kind, actions, resourceTypes, sources, combine } = route;
  return canonical({
    segments,
    kind,
    actions: actions && [...actions].sort(),
    resourceTypes: resourceTypes && [...resourceTypes].sort(),
    sources,
    modes: sources.map(name => onUnavailableOf(route, name, config)),
    combine,
    default: route.default,
    observe: observeOf(route, config),
  });
}
