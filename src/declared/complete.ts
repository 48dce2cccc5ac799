import type { Permission } from '@backstage/plugin-permission-common';
import { resourceTypeOf } from '../request';
import type { Declaration } from './declaration';

/**
 * How a question compares with what a plugin declares:
 *
 * - `same`: it says everything.
 * - `completed`: it left out the action, or the resource type; what was missing was filled in.
 * - `differs`: it says something else. It is decided as asked.
 * - `several`: more than one plugin declares the name. It is decided as asked.
 * - `none`: no plugin declares the name. It is decided as asked.
 * - `unread`: the plugins have not been read yet. It is decided as asked.
 */
export type Declared =
  'same' | 'completed' | Exclude<Declaration['kind'], 'one'> | 'differs';

export interface Question {
  /** To be decided. */
  readonly permission: Readonly<Permission>;
  readonly declared: Declared;
}

/**
 * Fills in what the caller left out. The new frontend, for example, asks for every permission of an
 * `if` as a basic one without an action. What the caller says is never changed, and a question that
 * says everything is the same afterwards.
 */
export function complete(
  asked: Readonly<Permission>,
  declaration: Declaration,
): Question {
  if (declaration.kind !== 'one') {
    return { permission: asked, declared: declaration.kind };
  }
  const { permission } = declaration;
  if (isSame(asked, permission)) return { permission: asked, declared: 'same' };
  const { action } = asked.attributes;
  const isShort =
    asked.type === 'basic' &&
    (action === undefined || action === permission.attributes.action);
  return isShort
    ? { permission, declared: 'completed' }
    : { permission: asked, declared: 'differs' };
}

/** Whether two permissions of one name are the same. */
export const isSame = (
  one: Readonly<Permission>,
  other: Readonly<Permission>,
): boolean =>
  one.type === other.type &&
  one.attributes.action === other.attributes.action &&
  resourceTypeOf(one) === resourceTypeOf(other);
