/** The permissions of a backend that a table has no route for, as comments to start from. */
import type { Permission } from '@backstage/plugin-permission-common';
import { readConfig } from '../../config/read';
import { parseRoutingTable } from '../../config/routing-file';
import type { Coverage } from '../../operations/coverage';
import { RoutingTable } from '../../routing/table';
import { escapeInvisible } from '../../lib/quote';

type Declared = Pick<
  Coverage['permissions'][number],
  'plugin' | 'name' | 'type' | 'action' | 'resourceType'
>;

/**
 * One comment for each plugin, with a route below it that still denies when its `#` is removed.
 *
 * @param table - the text of the routing file.
 * @param from - the backend, as the comment names it.
 * @returns lines for the end of the routing file; none if every permission has a route.
 */
export async function unroutedComments(
  table: string,
  declared: readonly Declared[],
  from: string,
): Promise<string> {
  const routing = await tableOf(table);
  const byPlugin = new Map<string, Declared[]>();
  for (const each of declared) {
    if (routing.match(permissionOf(each))) continue;
    byPlugin.set(each.plugin, [...(byPlugin.get(each.plugin) ?? []), each]);
  }
  if (byPlugin.size === 0) return '';
  const lines = [...byPlugin].flatMap(([plugin, permissions]) => [
    '  #',
    `  # ${plain(plugin)}:`,
    ...permissions.map(
      ({ name, action }) => `  #   ${plain(name)} (${action ?? 'no action'})`,
    ),
    ...prefixesOf(permissions.map(({ name }) => name)).flatMap(prefix => [
      `  # - prefix: ${yamlText(prefix)}`,
      '  #   sources: [deny]',
    ]),
  ]);
  return `
  # What the plugins at ${plain(from)} declare, and no route above matches: the fallback denies it. Remove
  # the \`#\` before a route, and name the sources that should decide.
${lines.join('\n')}
`;
}

const ANY_SOURCE = { type: 'ownership' };

/** The routes of the table, whatever sources they name. */
async function tableOf(text: string): Promise<RoutingTable<never>> {
  const content = (await parseRoutingTable(text)) as {
    readonly routes: ReadonlyArray<{ readonly sources: readonly string[] }>;
  };
  const names = content.routes
    .flatMap(({ sources }) => sources)
    .filter(name => name !== 'allow' && name !== 'deny');
  const sources = Object.fromEntries(names.map(name => [name, ANY_SOURCE]));
  const { config } = await readConfig({ sources }, { path: '', content });
  return new RoutingTable(config.routes) as RoutingTable<never>;
}

const permissionOf = ({ name, type, action, resourceType }: Declared): Permission => {
  const attributes = action === undefined ? {} : { action };
  return (
    type === 'resource'
      ? { type, name, attributes, resourceType: resourceType ?? '' }
      : { type: 'basic', name, attributes }
  ) as Permission;
};

/** The longest prefix that all names have; where they have none, one for each first segment. */
function prefixesOf(names: readonly string[]): string[] {
  const split = names.map(name => name.split('.'));
  const [first = []] = split;
  let length = 0;
  while (
    length < first.length &&
    split.every(segments => segments[length] === first[length])
  ) {
    length++;
  }
  return length > 0
    ? [first.slice(0, length).join('.')]
    : [...new Set(split.map(([segment = '']) => segment))];
}

const plain = (text: string): string => escapeInvisible(text);

const yamlText = (text: string): string =>
  /^[A-Za-z][\w.-]*$/.test(text) ? text : JSON.stringify(plain(text));
