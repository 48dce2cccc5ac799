import type { RoutingTable } from '../routing/table';
import type { Route, RouterConfig } from '../config/types';
import type { DeclaredState } from '../declared/declared-permissions';
import { someNames } from '../lib/bounded';
import { strict, text } from '../lib/fields';
import { Slices } from '../lib/slices';
import { listDeclared, type DeclaredPermission } from '../routing/declared-routes';
import { fieldsOf, type PermissionFields } from '../trace/facts';
import { deciderOf, type Decider } from './decider';

/** The query of `GET coverage`. */
export const coverageQuery = strict({
  route: text("the label of a route, or 'fallback'").optional(),
});

/** What may be wrong with how a declared permission is decided. */
export const COVERAGE_CODES = [
  'WRITE_ONLY_ALLOW',
  'FALLBACK_ALLOWS_WRITE',
  'DECLARED_TWICE',
] as const;
export type CoverageCode = (typeof COVERAGE_CODES)[number];

/** A permission that a plugin declares, and what decides it. */
export interface CoveredPermission extends PermissionFields, Decider {
  readonly plugin: string;
  readonly warnings: ReadonlyArray<{
    readonly code: CoverageCode;
    readonly message: string;
  }>;
}

/** A plugin whose permissions are not all known. */
export interface UnknownPlugin {
  readonly plugin: string;
  /** `failing`: what it declared before is used. `unread`: nothing is known of it. */
  readonly state: 'failing' | 'unread';
}

export interface Coverage {
  /**
   * Whether every plugin has answered, or has failed for some seconds. Until then some permissions
   * may be missing.
   */
  readonly settled: boolean;
  /** Whether the host could list the installed plugins. */
  readonly pluginsListed: boolean;
  /** By plugin, and as the plugin lists them; at most 10,000. */
  readonly permissions: readonly CoveredPermission[];
  /** The plugins that cannot be read now. */
  readonly unknownPlugins: readonly UnknownPlugin[];
  readonly totals: {
    /** Of `permissions`. */
    readonly declared: number;
    /** Permissions that are not listed, because there are more than 10,000. */
    readonly leftOut: number;
    /** Plugins that declare a permission. */
    readonly plugins: number;
    /** Of `permissions`, those that no route matches. */
    readonly byFallback: number;
    /** Of all `permissions`. */
    readonly warnings: number;
  };
}

export interface CoverageInput {
  readonly declared: DeclaredState;
  readonly table: Pick<RoutingTable<Route>, 'match'>;
  readonly config: Pick<RouterConfig, 'fallback' | 'sources' | 'observe'>;
}

/** What decides each permission that the plugins declare. Works in slices; asks nobody. */
export async function coverageOf(
  { declared, table, config }: CoverageInput,
  slices = new Slices(),
): Promise<Coverage> {
  const { listed, leftOut, declaring } = await listDeclared(declared, slices);
  const declarers = await declarersByName(listed, slices);
  const permissions: CoveredPermission[] = [];
  let byFallback = 0;
  let warningCount = 0;
  await slices.each(listed, each => {
    const { pluginId, permission } = each;
    const route = table.match(permission);
    if (!route) byFallback += 1;
    const warnings = [
      ...openWrite(each, route, config),
      ...declaredTwice(each, declarers.get(permission.name)!),
    ];
    warningCount += warnings.length;
    permissions.push({
      plugin: pluginId,
      ...fieldsOf(permission),
      ...deciderOf(route, config),
      warnings,
    });
  });
  return {
    settled: declared.isSettled,
    pluginsListed: declared.isListed,
    permissions,
    unknownPlugins: unknownPlugins(declared),
    totals: {
      declared: permissions.length,
      leftOut,
      plugins: declaring,
      byFallback,
      warnings: warningCount,
    },
  };
}

export const unknownPlugins = ({ plugins }: DeclaredState): UnknownPlugin[] =>
  plugins.flatMap(({ pluginId, state }) =>
    state === 'read' ? [] : [{ plugin: pluginId, state }],
  );

/** For each name the plugins of its declarations; one that declares it in two ways is there twice. */
async function declarersByName(
  listed: readonly DeclaredPermission[],
  slices: Slices,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const declarers = new Map<string, string[]>();
  await slices.each(listed, ({ pluginId, permission: { name } }) => {
    const known = declarers.get(name);
    if (known) known.push(pluginId);
    else declarers.set(name, [pluginId]);
  });
  return declarers;
}

type CoverageWarning = CoveredPermission['warnings'][number];

/** A name does not tell whether a permission without an action is about reading, so it is a write. */
const isWrite = ({ permission }: DeclaredPermission): boolean =>
  permission.attributes.action !== 'read';

function openWrite(
  declared: DeclaredPermission,
  route: Route | undefined,
  { fallback }: CoverageInput['config'],
): CoverageWarning[] {
  if (!isWrite(declared)) return [];
  const { action } = declared.permission.attributes;
  const what = action === undefined ? 'it has no action, so it may be a write' : action;
  if (!route) {
    if (fallback === 'deny') return [];
    const message = `no route matches it, and the fallback allows it to everybody (${what})`;
    return [{ code: 'FALLBACK_ALLOWS_WRITE', message }];
  }
  if (!isOnlyAllow(route)) return [];
  const message = `its route allows it to everybody (${what})`;
  return [{ code: 'WRITE_ONLY_ALLOW', message }];
}

/** Whether the result is ALLOW whatever the sources besides `allow` say. */
function isOnlyAllow({ sources, combine }: Route): boolean {
  switch (combine) {
    case 'deny-overrides':
      return sources.every(name => name === 'allow');
    case 'allow-overrides':
      return sources.includes('allow');
    case 'first-applicable':
      return sources[0] === 'allow';
  }
}

function declaredTwice(
  { pluginId }: DeclaredPermission,
  declarers: readonly string[],
): CoverageWarning[] {
  if (declarers.length === 1) return [];
  const others = [...new Set(declarers)].filter(each => each !== pluginId);
  const also =
    others.length > 0
      ? `${someNames(others)} also declare${others.length === 1 ? 's' : ''} it`
      : 'its plugin declares it in several ways';
  const message = `${also}, so a question that leaves out the action or the resource type is decided as it is asked`;
  return [{ code: 'DECLARED_TWICE', message }];
}

/** Only what this route decides, or the fallback; the totals stay. */
export const ofRoute = (coverage: Coverage, route: string): Coverage => ({
  ...coverage,
  permissions: coverage.permissions.filter(each => each.route === route),
});
