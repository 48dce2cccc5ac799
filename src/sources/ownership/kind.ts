import { isResourcePermission } from '@backstage/plugin-permission-common';
import { z } from 'zod';
import { NOT_BLANK, nonEmptyList, shown, strict, text, word } from '../../lib/fields';
import { askedOnce } from '../asked-once';
import { entityRef, pluginId } from '../fields';
import { localKind } from '../kind';
import { OwnershipSource } from './source';

/** The kinds that a catalog takes by default; any other is most likely a typing error. */
const entityKind = text("an entity kind such as 'Component'")
  .regex(/^[A-Za-z][A-Za-z0-9]{0,62}$/, {
    error: issue =>
      `must be an entity kind such as 'Component': a letter, then up to 62 letters and digits${shown(issue.input)}`,
  })
  .toLowerCase();

const ownerRule = strict({
  pluginId: pluginId('the id of the plugin that owns the resource type'),
  rule: word("the name of the plugin's owner rule"),
  param: word("the rule's parameter that takes the user's refs").refine(
    name => name !== '__proto__',
    { error: "must not be '__proto__', which no rule can have" },
  ),
});

/** The native ownership policy. */
export const ownership = localKind({
  type: 'ownership',
  settings: {
    bypass: nonEmptyList(entityRef, 'entity refs').optional(),
    kinds: nonEmptyList(entityKind, 'entity kinds').optional(),
    resources: z
      .record(z.string().regex(NOT_BLANK), ownerRule, {
        error: issue =>
          issue.code === 'invalid_key'
            ? 'must be a resource type, without white space'
            : 'must be an object of { <resourceType>: { pluginId, rule, param } }',
      })
      .optional(),
  },
  check: ({ kinds, resources }, context) => {
    if (kinds === undefined || !Object.hasOwn(resources ?? {}, 'catalog-entity')) {
      return;
    }
    context.addIssue({
      code: 'custom',
      path: ['kinds'],
      message: 'has no effect: resources replaces the rule of catalog-entity',
    });
  },
  build: ({ bypass = [], kinds, resources = {} }) =>
    askedOnce(
      new OwnershipSource({
        bypass,
        kinds,
        resources: new Map(Object.entries(resources)),
      }),
      // It reads nothing else of a permission.
      permission =>
        isResourcePermission(permission) ? `of ${permission.resourceType}` : 'basic',
    ),
});
