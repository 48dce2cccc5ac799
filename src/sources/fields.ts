/** Values that several kinds of sources have in their config. */
import { PLUGIN_ID } from '../conditions/fit';
import { shown, text } from '../lib/fields';

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
