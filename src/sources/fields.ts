/** Values that several kinds of sources have in their config. */
import { z } from 'zod';
import { PLUGIN_ID } from '../conditions/fit';
import { cut } from '../lib/bounded';
import { shown, text } from '../lib/fields';
import { parsePrefix, PREFIX_PATTERN } from '../prefix';
import { MAX_PERMISSION_NAME_LENGTH } from '../request';

export const entityRef = text("an entity ref such as 'group:default/platform'").regex(
  /^[^:/\s]+:[^:/\s]+\/[^:/\s]+$/,
  {
    error: issue =>
      `must be a whole entity ref such as 'group:default/platform'${shown(issue.input)}`,
  },
);

export const pluginId = (what: string) =>
  text(what).regex(PLUGIN_ID, {
    error: issue =>
      `must be the id of a plugin such as 'catalog': up to 64 letters, digits, '-' and '_'${shown(issue.input)}`,
  });

export const permissionPrefix = z
  .string({ error: "must be a permission prefix such as 'catalog.entity'" })
  .meta({ pattern: PREFIX_PATTERN, maxLength: MAX_PERMISSION_NAME_LENGTH })
  .transform((value, context) => {
    try {
      return parsePrefix(value);
    } catch (error) {
      context.addIssue(`'${cut(value)}' ${(error as Error).message}`);
      return z.NEVER;
    }
  });
