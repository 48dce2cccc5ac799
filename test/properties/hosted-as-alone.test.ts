/**
 * A hosted policy's conditions may have keys that Backstage does not read. Hosted, they mean what
 * they mean to Backstage when the policy is alone: for every resource, and as a filter of lists.
 */
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import {
  createConditionAuthorizer,
  createConditionTransformer,
  createPermissionRule,
} from '@backstage/plugin-permission-node';
import fc from 'fast-check';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import type { Criteria } from '../../src/verdict';
import { anyCriteria, EVERY_RESOURCE } from '../support/any-criteria';
import { fuzzedRouter, type FuzzedRouter } from '../support/fuzzed-router';
import { hostileText } from '../support/hostile-text';
import { factOf, type Assignment } from './reference/conditions';

const RUNS = 2_000;

/** How Backstage applies a decision, with rules that are facts of a resource. */
const rules = ['a', 'b', 'c'].map(name =>
  createPermissionRule({
    name,
    description: '',
    resourceType: 'catalog-entity',
    apply: (resource: Assignment, params) =>
      resource.has(factOf({ rule: name, resourceType: '', params: params })),
    toQuery: params => ({ key: factOf({ rule: name, resourceType: '', params }) }),
  }),
);
const isAllowed = createConditionAuthorizer(rules as never) as (
  decision: PolicyDecision,
  resource: Assignment,
) => boolean;
const filterOf = createConditionTransformer(rules as never);

let returns: unknown;
let router: FuzzedRouter;

beforeAll(async () => {
  const provided = new ProvidedPolicies();
  const handle = async () => returns as PolicyDecision;
  provided.host('team').setPolicy({ handle });
  provided.close();
  router = await fuzzedRouter(
    {
      fallback: 'deny',
      anonymous: 'evaluate',
      deadline: '10m',
      sources: { team: { type: 'hosted', timeout: '60s' } },
      routes: [{ prefix: '', sources: ['team'] }],
    },
    provided,
  );
});

afterAll(() => router.close());

const READ = ['allOf', 'anyOf', 'not', 'rule'];
const strangeKey = fc.oneof(
  fc.constantFrom('description', 'resourceType', 'params', 'pluginId', 'conditions'),
  hostileText,
);
/** Keys for each node, in the order in which the nodes are visited. */
const keysOfNodes = fc.array(
  fc.dictionary(strangeKey, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
  { minLength: 1, maxLength: 20 },
);

/** The same conditions with these keys besides those that Backstage reads in each node. */
function withKeys(node: Criteria, keys: readonly object[]): unknown {
  let visited = 0;
  const visit = (each: Criteria): unknown => {
    const more = Object.entries(keys[visited++ % keys.length]!);
    const read = 'rule' in each ? Object.keys(each).concat('params') : [];
    const others = more.filter(([key]) => !READ.includes(key) && !read.includes(key));
    return { ...Object.fromEntries(others), ...visitChildren(each) };
  };
  const visitChildren = (each: Criteria): object => {
    if ('allOf' in each) return { allOf: each.allOf.map(visit) };
    if ('anyOf' in each) return { anyOf: each.anyOf.map(visit) };
    return 'not' in each ? { not: visit(each.not) } : each;
  };
  return visit(node);
}

it('decides as the same policy alone', async () => {
  const permission = {
    type: 'resource',
    name: 'catalog.entity.read',
    attributes: { action: 'read' },
    resourceType: 'catalog-entity',
  };
  await fc.assert(
    fc.asyncProperty(
      anyCriteria,
      keysOfNodes,
      fc.dictionary(strangeKey, fc.jsonValue(), { maxKeys: 2 }),
      async (criteria, keys, beside) => {
        const alone = {
          ...beside,
          result: 'CONDITIONAL',
          pluginId: 'catalog',
          resourceType: 'catalog-entity',
          conditions: withKeys(criteria, keys),
        };
        returns = alone;
        const { decision } = await router.decide({ permission }, undefined);
        expect(decision.result).toBe('CONDITIONAL');
        for (const resource of EVERY_RESOURCE) {
          const expected = isAllowed(alone as PolicyDecision, resource);
          expect(isAllowed(decision, resource)).toBe(expected);
        }
        const { conditions } = decision as { conditions: Criteria };
        expect(filterOf(conditions)).toEqual(filterOf(alone.conditions as Criteria));
      },
    ),
    { numRuns: RUNS },
  );
});
