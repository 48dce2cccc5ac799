/** Conditional decisions that Backstage could not apply and would fail the whole batch for. */
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

/** Changes the valid condition. */
const withLeaf = (more: object): unknown =>
  conditional({ conditions: { ...owner, ...more } });

const conditions = (name: string, decision: unknown, code: string): Scene =>
  stubScene(name, replies(decisionBody(decision)), invalid(code));

export const conditionFaults: Chapter = {
  title: 'answers with conditions that Backstage cannot apply',
  scenes: [
    conditions(
      'answers ALLOW with conditions',
      conditional({ result: 'ALLOW' }),
      'BAD_DECISION',
    ),
    conditions(
      'answers CONDITIONAL without conditions',
      conditional({ conditions: undefined }),
      'BAD_DECISION',
    ),
    conditions(
      'answers with an empty anyOf',
      conditional({ conditions: { anyOf: [] } }),
      'BAD_DECISION',
    ),
    conditions(
      'answers with an empty allOf',
      conditional({ conditions: { allOf: [] } }),
      'BAD_DECISION',
    ),
    conditions('names no plugin', conditional({ pluginId: undefined }), 'BAD_DECISION'),
    stubScene(
      'answers with conditions for a basic permission',
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
      'names such a rule in a nested condition',
      conditional({
        conditions: { anyOf: [owner, { not: { ...owner, rule: 'IS_OWNER' } }] },
      }),
      'UNKNOWN_RULE',
    ),
    conditions(
      'omits the params of a rule that needs them',
      withLeaf({ rule: 'HAS_LABEL', params: undefined }),
      'BAD_PARAMS',
    ),
    conditions(
      'omits a required parameter',
      withLeaf({ rule: 'HAS_LABEL', params: {} }),
      'BAD_PARAMS',
    ),
    conditions(
      'has a parameter of the wrong type',
      withLeaf({ params: { claims: 'user:default/nolan' } }),
      'BAD_PARAMS',
    ),
    conditions(
      'misspells a parameter',
      withLeaf({ rule: 'HAS_LABEL', params: { label: 'a', valeu: 'b' } }),
      'BAD_PARAMS',
    ),
    conditions(
      'names a plugin that does not exist',
      conditional({ pluginId: 'catalogue' }),
      'UNKNOWN_PLUGIN',
    ),
    conditions(
      'names another plugin',
      conditional({ pluginId: 'auth' }),
      'UNKNOWN_RULE',
    ),
    conditions(
      'names a path as the plugin id',
      conditional({ pluginId: '../catalog' }),
      'BAD_CONDITIONS',
    ),
    conditions(
      'answers with conditions larger than maxConditionBytes',
      withLeaf({ params: { claims: ['x'.repeat(1000)] } }),
      'CONDITIONS_TOO_LARGE',
    ),
  ],
};
