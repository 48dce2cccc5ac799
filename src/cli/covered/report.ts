/** What `policy-router coverage` prints for people. */
import { escapeInvisible } from '../../lib/quote';
import { someNames, someOf } from '../../lib/bounded';
import type { Coverage, CoveredPermission } from '../../operations/coverage';
import { counted } from '../counted';
import type { Io } from '../io';

export function coverageText(coverage: Coverage, { style }: Pick<Io, 'style'>): string {
  const byPlugin = new Map<string, CoveredPermission[]>();
  for (const each of coverage.permissions) {
    const known = byPlugin.get(each.plugin);
    if (known) known.push(each);
    else byPlugin.set(each.plugin, [each]);
  }
  const widths = widthsOf(coverage.permissions.map(cellsOf));
  const plugins = [...byPlugin].map(([plugin, permissions]) =>
    [
      style('bold', escapeInvisible(plugin)),
      ...permissions.flatMap(each => [
        `  ${inColumns(cellsOf(each), widths)}`,
        ...each.warnings.map(({ code, message }) =>
          style('yellow', `      ${code}: ${escapeInvisible(message)}`),
        ),
      ]),
    ].join('\n'),
  );
  const problems = unsettledOf(coverage);
  return [
    ...plugins,
    ...(problems.length > 0 ? [problems.map(each => `${each}.`).join('\n')] : []),
    totalsText(coverage),
  ].join('\n\n');
}

/** `read  catalog-entity  'catalog'  ownership, opa` */
const cellsOf = (each: CoveredPermission): string[] =>
  [
    each.name,
    each.action ?? 'no action',
    each.type === 'resource' ? (each.resourceType ?? '') : 'basic',
    each.route === 'fallback' ? `fallback: ${each.result}` : `route ${each.route}`,
    each.sources.length > 0
      ? someOf(each.sources, each.sources.length + (each.moreSources ?? 0))
      : '',
  ].map(escapeInvisible);

/** A longer cell moves the rest of its line. */
const MAX_WIDTH = 50;

const widthsOf = (rows: ReadonlyArray<readonly string[]>): number[] =>
  (rows[0] ?? []).map((_, column) =>
    rows.reduce(
      (width, row) => Math.min(MAX_WIDTH, Math.max(width, row[column]!.length)),
      0,
    ),
  );

const inColumns = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, column) => cell.padEnd(widths[column]!))
    .join('  ')
    .trimEnd();

/** Why permissions may be missing; empty if all of them are known. */
export function unsettledOf({
  settled,
  pluginsListed,
  unknownPlugins,
  totals,
}: Coverage): string[] {
  const unread = unknownPlugins.filter(({ state }) => state === 'unread');
  const names = someNames(unread.map(({ plugin }) => plugin));
  return [
    ...(pluginsListed ? [] : ['The backend could not list the installed plugins']),
    ...(settled || !pluginsListed
      ? []
      : [
          'The backend is still reading what the plugins declare; ask again in a few seconds',
        ]),
    ...(unread.length > 0
      ? [
          `Not known are the permissions of ${counted(unread.length, 'plugin')} that could not be read: ${names}`,
        ]
      : []),
    ...(totals.leftOut > 0
      ? [
          `${counted(totals.leftOut, 'permission is', 'permissions are')} not listed, because there are too many`,
        ]
      : []),
  ];
}

function totalsText({ totals, unknownPlugins }: Coverage): string {
  const { declared, plugins, byFallback, warnings } = totals;
  const failing = unknownPlugins.filter(({ state }) => state === 'failing');
  const stale =
    failing.length > 0
      ? ` Of ${someNames(failing.map(({ plugin }) => plugin))} what was read before is shown.`
      : '';
  return (
    `${counted(declared, 'permission')} of ${counted(plugins, 'plugin')}: ` +
    `${byFallback === 0 ? 'none' : byFallback} by the fallback, ${counted(warnings, 'warning')}.${stale}`
  );
}
