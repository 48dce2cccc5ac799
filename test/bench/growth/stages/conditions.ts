/** What is done with the conditions of one answer. */
import { allOf } from '../../../../src/conditions/algebra';
import { conditionCheck } from '../../../../src/conditions/check';
import { BadCondition, parseConditions } from '../../../../src/conditions/parse';
import { bytesOf, treeProblem } from '../../../../src/conditions/size';
import { Deadline } from '../../../../src/lib/deadline';
import type { Conditional, Conditions } from '../../../../src/verdict';
import { directoryOf, published } from '../../../support/rule-directory';
import type { Prepared, Stage } from '../stage';

/** Groups count as nodes too. Within `maxConditionBytes` are some 800 of these. */
const NODES = [2, 8, 32, 64, 125, 250, 500];

export const RESOURCE_TYPE = 'catalog-entity';

export const LABEL_RULE = {
  name: 'HAS_LABEL',
  resourceType: RESOURCE_TYPE,
  paramsSchema: {
    type: 'object',
    required: ['label'],
    properties: { label: { type: 'string' } },
    additionalProperties: false,
  },
};

const leaf = (name: string): object => ({
  rule: LABEL_RULE.name,
  resourceType: RESOURCE_TYPE,
  params: { label: name },
});

/** One group of different rules, as JSON has them. */
const flat = (nodes: number, name: string): object => ({
  anyOf: Array.from({ length: Math.max(1, nodes - 1) }, (_, index) =>
    leaf(`${name}-${index}`),
  ),
});

/** A group of pairs. */
const pairs = (nodes: number, name: string): object => ({
  anyOf: Array.from(
    { length: Math.max(1, Math.floor((nodes - 1) / 3)) },
    (_, index) => ({
      allOf: [leaf(`${name}-${index}`), leaf(`${name}-${index}-too`)],
    }),
  ),
});

/** New each time: what is known of a tree is kept with it. */
export const parsed = (json: object): Conditions => {
  const conditions = parseConditions(json);
  if (conditions instanceof BadCondition) throw new Error(conditions.message);
  return conditions;
};

export const flatConditions = (nodes: number, name: string): Conditions =>
  parsed(flat(nodes, name));

const SUBJECT = 'nodes of conditions';

const stage = (
  id: string,
  title: string,
  prepare: (nodes: number) => Prepared | Promise<Prepared>,
): Stage => ({ id, title, subject: SUBJECT, sizes: NODES, prepare });

const combining =
  (shape: (nodes: number, name: string) => object) =>
  (nodes: number): Prepared => ({
    next() {
      const two = ['one', 'other'].map(name => parsed(shape(nodes / 2, name)));
      return () => allOf(two);
    },
    isRight: result => result !== undefined,
  });

export const conditionStages: readonly Stage[] = [
  stage('parse', 'parse', nodes => {
    const json = flat(nodes, 'a');
    return {
      next: () => () => parseConditions(json),
      isRight: result => !(result instanceof BadCondition),
    };
  }),
  stage('size', 'measure', nodes => ({
    next() {
      const conditions = flatConditions(nodes, 'a');
      return () => treeProblem(conditions, 90_000) ?? bytesOf(conditions);
    },
    isRight: result => typeof result === 'number',
  })),
  stage('check', 'check against the rules', async nodes => {
    const directory = directoryOf(published(LABEL_RULE));
    await directory.read('catalog');
    const check = conditionCheck(
      { verifyConditions: true, maxConditionBytes: 90_000 },
      directory,
    );
    const permission = {
      type: 'resource',
      name: 'catalog.entity.read',
      attributes: {},
      resourceType: RESOURCE_TYPE,
    } as const;
    const deadline = new Deadline(Infinity);
    return {
      next() {
        const verdict: Conditional = {
          kind: 'CONDITIONAL',
          reason: '',
          pluginId: 'catalog',
          resourceType: RESOURCE_TYPE,
          conditions: flatConditions(nodes, 'a'),
        };
        return () => check(verdict, permission, deadline);
      },
      isRight: result => (result as Conditional).kind === 'CONDITIONAL',
    };
  }),
  stage('combine-two', 'combine two halves', combining(flat)),
  stage('combine-two-pairs', 'combine two halves, of pairs', combining(pairs)),
];
