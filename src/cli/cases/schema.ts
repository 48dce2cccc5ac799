/**
 * The schema of a test file: users, entities and the decisions that are expected. Every object
 * refuses unknown keys, except entities. What needs the whole file is checked by `checkCases`.
 */
import { z } from 'zod';
import { BadCondition } from '../../conditions/parse';
import { canonical } from '../../lib/canonical';
import {
  byName,
  choice,
  nonEmptyList,
  oneOf,
  oneOrMore,
  strict,
  text,
} from '../../lib/fields';
import { having } from '../../lib/json-schema';
import { MAX_PERMISSION_NAME_LENGTH } from '../../request';
import { parseTemplate, type Template } from '../../sources/conditions/template';
import { entityRef, pluginId } from '../../sources/fields';
import { CONDITIONS_REF } from './conditions-schema';
import { entity } from './entity-schema';
import { ANONYMOUS, shortName, userRef, who } from './names';
import { standIns } from './stand-in-schema';

export { ANONYMOUS } from './names';
export type { EntityFile, InlineEntity, TestEntity } from './entity-schema';
export {
  STAND_IN_RESULTS,
  STAND_INS,
  type StandIn,
  type StandInResult,
} from './stand-in-schema';

/** In bytes. */
export const MAX_TEST_FILE_BYTES = 2 ** 20;

/** As they are written; a case with lists is one. */
export const MAX_CASES = 10_000;

export const EXPECTATIONS = ['ALLOW', 'DENY', 'CONDITIONAL'] as const;

const ACTIONS = ['create', 'read', 'update', 'delete'] as const;
const MAX_CASE_NAME = 300;
const MAX_ROUTE = 1000;

const NOT_ANONYMOUS = new RegExp(`^(?!${ANONYMOUS}$)`);

const user = strict({
  ref: userRef.optional().describe('The entity ref. Default: user:default/<name>.'),
  groups: nonEmptyList(entityRef, 'entity refs')
    .optional()
    .describe(
      'Entity refs of the groups that the user belongs to, those of parent groups too if they count. ' +
        'Default: none.',
    ),
});

const permissionName = text('the name of a permission').max(
  MAX_PERMISSION_NAME_LENGTH,
  { error: `must have at most ${MAX_PERMISSION_NAME_LENGTH} characters` },
);
const action = choice(ACTIONS).optional();
const resourceType = text('a resource type')
  .max(MAX_PERMISSION_NAME_LENGTH, {
    error: `must have at most ${MAX_PERMISSION_NAME_LENGTH} characters`,
  })
  .optional();

const declaration = strict({
  name: permissionName.describe('The name of the permission.'),
  plugin: pluginId('the id of the plugin that declares the permission').describe(
    'The id of the plugin that declares it.',
  ),
  action: action.describe('Its action. Default: none.'),
  resourceType: resourceType.describe(
    'Its resource type. Without one it is a basic permission.',
  ),
});

const writtenPermission = strict({
  name: permissionName.describe('The name of the permission.'),
  type: choice(['basic', 'resource']).describe(
    'Whether the caller asks for a resource permission.',
  ),
  action: action.describe('The action that the caller says. Default: none.'),
  resourceType: resourceType.describe(
    'The resource type that the caller says. Required if the type is resource.',
  ),
})
  .superRefine(({ type, resourceType: written }, context) => {
    if ((type === 'resource') === (written !== undefined)) return;
    const message =
      type === 'resource'
        ? "is required, because the type is 'resource'"
        : "must be left out, because the type is 'basic'";
    context.addIssue({ code: 'custom', path: ['resourceType'], message });
  })
  .meta({
    if: { properties: { type: { const: 'resource' } } },
    then: having('resourceType'),
    else: { properties: { resourceType: false } },
  });

/** A name that is declared, or what a caller says, whatever is declared. */
const asked = oneOf<typeof permissionName | typeof writtenPermission>(
  [permissionName, writtenPermission],
  value =>
    typeof value === 'object' && value !== null ? writtenPermission : permissionName,
);

/**
 * The conditions that a decision should have. `fillIn` makes them for a user and a resource type;
 * `strayResourceType` finds a rule that is written for another one.
 */
export interface ExpectedConditions {
  readonly template: Template;
}

const permissions = nonEmptyList(asked, 'permissions')
  .refine(items => new Set(items.map(canonical)).size === items.length, {
    error: 'names the same value twice',
  })
  .meta({ uniqueItems: true });

const conditions = z
  .unknown()
  .transform((value, context): ExpectedConditions => {
    const template = parseTemplate(value);
    if (!(template instanceof BadCondition)) return { template };
    const { message, path } = template;
    context.addIssue({ code: 'custom', message, path: [...path] });
    return z.NEVER;
  })
  .meta({ allOf: [{ $ref: CONDITIONS_REF }] });

const testCase = strict({
  name: text('what the case is about')
    .max(MAX_CASE_NAME, { error: `must have at most ${MAX_CASE_NAME} characters` })
    .optional()
    .describe('What the case is about. Default: made of the rest.'),
  user: oneOrMore(who, 'users').describe(
    `Who asks: a name of users, an entity ref, or '${ANONYMOUS}'; or a list of them, which are all tried.`,
  ),
  permission: oneOf<typeof asked | typeof permissions>([asked, permissions], value =>
    Array.isArray(value) ? permissions : asked,
  )
    .transform(value => [value].flat())
    .describe(
      'What is asked: the name of a declared permission, or name, type, action and resourceType as a ' +
        'caller writes them; or a list of them, which are all tried.',
    ),
  entity: oneOrMore(shortName, 'names of entities')
    .optional()
    .describe(
      'A name of entities, to which conditions are applied; or a list of them, which are all tried. ' +
        'Without one, a decision may be CONDITIONAL.',
    ),
  standIns: standIns
    .optional()
    .describe('What sources say in this case, in place of the stand-ins of the file.'),
  expect: choice(EXPECTATIONS).describe(
    'The decision. CONDITIONAL is possible only without entity.',
  ),
  route: text("the label of a route, or 'fallback'")
    .max(MAX_ROUTE, { error: `must have at most ${MAX_ROUTE} characters` })
    .optional()
    .describe("The label of the route that should decide, or 'fallback'."),
  conditions: conditions
    .optional()
    .describe(
      'With expect: CONDITIONAL, the conditions of the decision. $user and $ownershipRefs stand for ' +
        'those of the user.',
    ),
})
  .superRefine((read, context) => {
    const add = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (read.expect === 'CONDITIONAL') {
      if (read.entity === undefined) return;
      add(
        'expect',
        "must be 'ALLOW' or 'DENY', because an entity is named: its conditions are applied to it",
      );
    } else if (read.conditions !== undefined) {
      add('conditions', "is allowed only with expect: 'CONDITIONAL'");
    }
  })
  .meta({
    if: { properties: { expect: { const: 'CONDITIONAL' } } },
    then: { properties: { entity: false } },
    else: { properties: { conditions: false } },
  });

/** A test file, as YAML has it. At most `MAX_TEST_FILE_BYTES` of text. */
export const testFileSchema = strict({
  users: byName(
    shortName.regex(NOT_ANONYMOUS, {
      error: `'${ANONYMOUS}' is a request without a user; choose another name`,
    }),
    user,
    'users by a short name: { <name>: { ref, groups } }',
  )
    .optional()
    .describe('The users of the cases, by a short name.'),
  entities: byName(
    shortName,
    entity,
    'entities by a short name: { <name>: a path, or an entity }',
  )
    .optional()
    .describe('The entities of the cases, by a short name.'),
  standIns: standIns
    .optional()
    .describe(
      'What sources say that cannot be asked here: hosted policies, and OPA servers unless --opa is given.',
    ),
  permissions: nonEmptyList(
    declaration,
    'permissions: objects of name, plugin, action and resourceType',
  )
    .optional()
    .describe("The permissions that plugins other than the catalog's declare."),
  cases: nonEmptyList(testCase, 'cases', MAX_CASES).describe(
    'The decisions that are expected.',
  ),
});

/** What was written, with lists for `user`, `permission` and `entity` of a case. */
export type TestFile = z.output<typeof testFileSchema>;
export type TestUser = z.output<typeof user>;
export type TestCase = z.output<typeof testCase>;
export type AskedPermission = z.output<typeof asked>;
