/** The permission that `explain` asks about. */
import type { Permission } from '@backstage/plugin-permission-common';
import { closest } from '../lib/closest';
import { actionOf, resourceTypeOf } from '../request';
import type { Router } from '../router';
import { CliError } from './exit-code';
import { permissionOf } from './permission';

interface Options {
  /** Its name. */
  readonly permission: string;
  readonly action?: string;
  readonly resourceType?: string;
}

export interface AskedPermission {
  readonly permission: Permission;
  /** What the user should know about it. */
  readonly notes: readonly string[];
}

/**
 * As its plugin declares it; what is not declared is asked as it is written.
 *
 * @throws CliError if the options contradict what is declared, or leave open which one is meant.
 */
export function askedPermission(
  options: Options,
  declared: Pick<Router['declared'], 'of' | 'all'>,
): AskedPermission {
  const { permission: name } = options;
  const whole = writtenPermission(options);
  const isWritten = whole !== undefined;
  const written = whole ?? permissionOf({ name, type: 'basic' });
  const declaration = declared.of(name);
  switch (declaration.kind) {
    case 'one': {
      const { permission } = declaration;
      if (isWritten && !isSame(written, permission)) {
        throw new CliError(
          `${name} is declared as (${textOf(permission)}): leave out --action and --resource-type`,
        );
      }
      return { permission, notes: [] };
    }
    case 'several':
      if (isWritten) return { permission: written, notes: [] };
      throw new CliError(
        `several plugins declare ${name} (${declaration.pluginIds.join(', ')}): add --action and --resource-type`,
      );
    case 'none':
    case 'unread': {
      if (isWritten) return { permission: written, notes: [] };
      const names = declared.all().plugins.flatMap(each => each.permissions);
      const likely = closest(
        name,
        names.map(each => each.name),
      );
      const meant = likely === undefined ? '' : ` (did you mean ${likely}?)`;
      return {
        permission: written,
        notes: [
          `nothing here declares this permission${meant}, so it is asked as a basic one without an action; ` +
            'give --metadata, or --action and --resource-type',
        ],
      };
    }
  }
}

/** Undefined if only the name is given. */
export function writtenPermission({
  permission: name,
  action,
  resourceType,
}: Options): Permission | undefined {
  if (action === undefined && resourceType === undefined) return undefined;
  const type = resourceType === undefined ? 'basic' : 'resource';
  return permissionOf({ name, type, action, resourceType });
}

const isSame = (one: Permission, other: Permission): boolean =>
  actionOf(one) === actionOf(other) && resourceTypeOf(one) === resourceTypeOf(other);

const textOf = (permission: Permission): string =>
  [actionOf(permission), resourceTypeOf(permission) ?? 'basic'].join(', ');
