import { z } from 'zod';
import { BadCondition } from '../../conditions/parse';
import type { WrittenConditions } from '../../conditions/written';
import { cut } from '../../lib/bounded';
import { choice, nonEmptyList, strict, word } from '../../lib/fields';
import { ACTIONS } from '../../request';
import { askedOnce } from '../asked-once';
import { entityRef, permissionPrefix, pluginId } from '../fields';
import { localKind, type LocalKind } from '../kind';
import { ConditionsSource, type Rule } from './source';
import { fillIn, parseTemplate, strayResourceType } from './template';

/** Each question looks at every rule. */
const MAX_RULES = 1000;

const conditions = z.unknown().transform((value, context) => {
  const template = parseTemplate(value);
  if (!(template instanceof BadCondition)) return template;
  const { message, path } = template;
  context.addIssue({ code: 'custom', message, path: [...path] });
  return z.NEVER;
});

const rule = strict({
  permissions: nonEmptyList(permissionPrefix, 'permission prefixes').optional(),
  actions: nonEmptyList(choice(ACTIONS), 'actions').optional(),
  resourceTypes: nonEmptyList(word('a resource type'), 'resource types').optional(),
  groups: nonEmptyList(entityRef, 'entity refs').optional(),
  pluginId: pluginId('the id of the plugin that applies the conditions').optional(),
  conditions: conditions.optional(),
  result: choice(['allow', 'deny']).optional(),
}).superRefine((read, context) => {
  const { pluginId: plugin, conditions: template, result, resourceTypes } = read;
  const add = (path: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [path], message });
  if (template === undefined) {
    if (result === undefined) {
      add('result', "is required: 'allow' or 'deny', or conditions in its place");
    }
    if (plugin !== undefined) add('pluginId', 'has no effect without conditions');
    return;
  }
  if (result !== undefined) add('result', 'cannot be combined with conditions');
  if (plugin === undefined) {
    add('pluginId', 'is required: the id of the plugin that applies the conditions');
  }
  const stray = strayResourceType(template, resourceTypes);
  if (stray !== undefined) {
    add(
      'conditions',
      `a rule names the resource type '${cut(stray)}', which must then be the only one in resourceTypes`,
    );
  }
});

/** Conditions, or a constant result, for those who have neither Rego nor code. */
export const conditionsKind: LocalKind = localKind({
  type: 'conditions',
  settings: {
    rules: nonEmptyList(rule, 'rules', MAX_RULES),
    otherwise: choice(['deny', 'not-applicable']).optional(),
  },
  check: ({ rules, otherwise }, context) => {
    if (!Array.isArray(rules)) return;
    const usesGroups = rules.some(each => each?.groups !== undefined);
    if (usesGroups === (otherwise !== undefined)) return;
    context.addIssue({
      code: 'custom',
      path: ['otherwise'],
      message: usesGroups
        ? "is required, because a rule has groups: 'deny' or 'not-applicable', for users who are in none of them"
        : 'has no effect, because no rule has groups',
    });
  },
  conditionsIn: ({ rules }) =>
    rules.flatMap((each, index) => writtenIn(each as Rule, index)),
  build: ({ rules, otherwise = 'deny' }) =>
    askedOnce(
      new ConditionsSource({ rules: rules as readonly Rule[], otherwise }),
      permission => JSON.stringify(permission),
    ),
});

/** A user for checking the conditions at start, when nobody has asked. */
const SOMEBODY = {
  user: 'user:default/somebody',
  ownershipRefs: ['user:default/somebody'],
};

const writtenIn = (each: Rule, index: number): WrittenConditions[] =>
  'conditions' in each
    ? [
        {
          place: `rules[${index}]`,
          pluginId: each.pluginId,
          resourceTypes: each.resourceTypes,
          conditionsFor: resourceType =>
            fillIn(each.conditions, resourceType, SOMEBODY),
        },
      ]
    : [];
