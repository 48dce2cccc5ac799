/** Conditional decisions that Backstage could not apply; it would fail the whole batch. */
import { invalid, type Chapter, type Scene } from './fault';
import { decisionBody, replies, stubScene } from './stub-peer';

const owner = {
  rule: 'IS_ENTITY_OWNER',
  resourceType: 'catalog-entity',
  params: { claims: [] },
};

const conditional = (more: object): unknown => ({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions: owner,
  ...more,
});

/** With a condition on the catalog's entities that differs from a good one. */
const withLeaf = (more: object): unknown =>
  conditional({ conditions: { ...owner, ...more } });

const conditions = (name: string, decision: unknown, code: string): Scene =>
  stubScene(name, replies(decisionBody(decision)), invalid(code));

export const conditionFaults: Chapter = {
  title: 'gives conditions that Backstage cannot apply',
  scenes: [
    conditions(
      'answers ALLOW with conditions',
      conditional({ result: 'ALLOW' }),
      'BAD_DECISION',
    ),
    conditions('gives none', conditional({ conditions: undefined }), 'BAD_DECISION'),
    conditions(
      'gives an empty anyOf',
      conditional({ conditions: { anyOf: [] } }),
      'BAD_DECISION',
    ),
    conditions(
      'gives an empty allOf',
      conditional({ conditions: { allOf: [] } }),
      'BAD_DECISION',
    ),
    conditions('names no plugin', conditional({ pluginId: undefined }), 'BAD_DECISION'),
    stubScene(
      'gives conditions for a basic permission',
      replies(decisionBody(conditional({}))),
      invalid('BAD_CONDITIONS'),
      { type: 'basic' },
    ),
    conditions(
      'names another resource type',
      conditional({ resourceType: 'scaffolder-task' }),
      'BAD_CONDITIONS',
    ),
    conditions(
      'names another resource type in a leaf',
      conditional({
        conditions: {
          not: { rule: 'IS_TASK_OWNER', resourceType: 'scaffolder-task', params: {} },
        },
      }),
      'BAD_CONDITIONS',
    ),
    conditions(
      'names a rule that the plugin does not have',
      withLeaf({ rule: 'IS_OWNER' }),
      'UNKNOWN_RULE',
    ),
    conditions(
      'names such a rule deep down',
      conditional({
        conditions: { anyOf: [owner, { not: { ...owner, rule: 'IS_OWNER' } }] },
      }),
      'UNKNOWN_RULE',
    ),
    conditions(
      'gives no parameters to a rule that needs them',
      withLeaf({ rule: 'HAS_LABEL', params: undefined }),
      'BAD_PARAMS',
    ),
    conditions(
      'leaves a parameter out',
      withLeaf({ rule: 'HAS_LABEL', params: {} }),
      'BAD_PARAMS',
    ),
    conditions(
      'gives a parameter of another type',
      withLeaf({ params: { claims: 'user:default/nolan' } }),
      'BAD_PARAMS',
    ),
    conditions(
      'misspells a parameter',
      withLeaf({ rule: 'HAS_LABEL', params: { label: 'a', valeu: 'b' } }),
      'BAD_PARAMS',
    ),
    conditions(
      'names a plugin that is not there',
      conditional({ pluginId: 'catalogue' }),
      'UNKNOWN_PLUGIN',
    ),
    conditions(
      'names another plugin',
      conditional({ pluginId: 'auth' }),
      'UNKNOWN_RULE',
    ),
    conditions(
      'names a path as the plugin',
      conditional({ pluginId: '../catalog' }),
      'BAD_CONDITIONS',
    ),
    conditions(
      'gives conditions over maxConditionBytes',
      withLeaf({ params: { claims: ['x'.repeat(1000)] } }),
      'CONDITIONS_TOO_LARGE',
    ),
  ],
};
