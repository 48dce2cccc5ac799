import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Permission } from '@backstage/plugin-permission-common';
import type { DeclaredPermissions } from '../declared/declared-permissions';
import { quote } from '../lib/quote';
import { resourceTypeOf } from '../request';
import type { TraceSink } from './record';

/** Names come from callers. */
const MAX_NAMES = 100;

/**
 * Warns once per name of a question that says something else than its plugin declares, so that it
 * is decided by another route, or by the same one differently.
 */
export function warnOfOtherQuestions(
  logger: LoggerService,
  declared: Pick<DeclaredPermissions, 'of'>,
): TraceSink {
  const warned = new Set<string>();
  return ({ permission, declared: outcome }) => {
    if (outcome !== 'differs' || !permission || warned.has(permission.name)) return;
    if (warned.size >= MAX_NAMES) return;
    const declaration = declared.of(permission.name);
    if (declaration.kind !== 'one') return;
    warned.add(permission.name);
    logger.warn(
      `${quote(permission.name)} was asked as ${described(permission)}, but plugin ` +
        `${quote(declaration.pluginId)} declares ${described(declaration.permission)}. ` +
        'It is decided as it was asked',
    );
  };
}

function described(permission: Readonly<Permission>): string {
  const { action } = permission.attributes;
  const resourceType = resourceTypeOf(permission);
  const what =
    resourceType === undefined
      ? 'a basic permission'
      : `a permission for resources of type ${quote(resourceType)}`;
  return `${what} ${action === undefined ? 'without an action' : `with the action ${quote(action)}`}`;
}
