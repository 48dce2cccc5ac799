/**
 * Rules in YAML say what the same policy says otherwise written: as an ownership source, as the
 * answers of Rego, and a rule fits where a route with the same pattern would match.
 */
import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { parsePrefix } from '../../src/prefix';
import type { PermissionRequest } from '../../src/request';
import { ACTIONS, type Action } from '../../src/routing/route';
import { RoutingTable } from '../../src/routing/table';
import { OwnershipSource } from '../../src/sources/ownership/source';
import { regoAnswer } from '../../src/sources/rego/answer';
import { permission, request } from '../fixtures/builders';
import { conditionsSource } from '../support/conditions-source';
import { hostileText } from '../support/hostile-text';

const segment = fc.constantFrom('catalog', 'entity', 'read', '__proto__', 'x');
const name = fc
  .array(segment, { minLength: 1, maxLength: 3 })
  .map(each => each.join('.'));
const TYPES = ['catalog-entity', 'scaffolder-task', 'other', 'constructor'];
const asked: fc.Arbitrary<Permission> = fc
  .record({
    name: fc.oneof({ weight: 4, arbitrary: name }, hostileText),
    action: fc.constantFrom(...ACTIONS.filter(each => each !== 'none'), undefined),
    resourceType: fc.constantFrom(...TYPES, undefined),
  })
  .map(({ name: of, ...fields }) => permission(of, fields));

const ref = fc.constantFrom(
  'user:default/olivia',
  'User:default/Olivia',
  'group:default/payments',
  'GROUP:Default/payments',
  'group:other/payments',
);
const refs = fc.uniqueArray(ref, { maxLength: 4 });
const question: fc.Arbitrary<PermissionRequest> = fc
  .tuple(asked, refs)
  .map(([of, claims]) => request(of, claims));

/** Without the reason, whose words differ, and the ref of the bypass, which only one of them has. */
const said = (answer: object): object => ({
  ...answer,
  reason: undefined,
  bypass: undefined,
});

it('as ownership does, with its bypass', () => {
  const ownership = new OwnershipSource({
    bypass: ['group:default/payments'],
    resources: new Map(),
  });
  const owned = (
    resourceType: string,
    pluginId: string,
    rule: string,
    param: string,
  ) => ({
    resourceTypes: [resourceType],
    pluginId,
    conditions: { anyOf: [{ rule, params: { [param]: '$ownershipRefs' } }] },
  });
  const yaml = conditionsSource({
    otherwise: 'not-applicable',
    rules: [
      {
        groups: ['group:default/payments'],
        resourceTypes: ['catalog-entity', 'scaffolder-task'],
        result: 'allow',
      },
      owned('catalog-entity', 'catalog', 'IS_ENTITY_OWNER', 'claims'),
      owned('scaffolder-task', 'scaffolder', 'IS_TASK_OWNER', 'createdBy'),
    ],
  });
  fc.assert(
    fc.property(question, each => {
      expect(said(yaml.ask(each))).toEqual(said(ownership.ask(each)));
    }),
    { numRuns: 1000 },
  );
});

const pattern = fc.record(
  {
    prefix: fc.oneof(name, fc.constantFrom('', '*', 'catalog.*', 'catalog/')),
    actions: fc.uniqueArray(fc.constantFrom<Action>(...ACTIONS), { minLength: 1 }),
    resourceTypes: fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1 }),
  },
  { requiredKeys: ['prefix'] },
);

it('a rule fits where a route with the same pattern matches', () => {
  fc.assert(
    fc.property(pattern, question, ({ prefix, ...constraints }, each) => {
      const table = new RoutingTable([{ ...parsePrefix(prefix), ...constraints }]);
      const yaml = conditionsSource({
        rules: [{ permissions: [prefix], ...constraints, result: 'deny' }],
      });
      expect(yaml.ask(each).kind === 'DENY').toBe(
        table.match(each.permission) !== undefined,
      );
    }),
    { numRuns: 1000 },
  );
});

const leaf = fc.record({
  rule: fc.constantFrom('A', 'B'),
  params: fc.dictionary(
    fc.constantFrom('key', 'value', 'constructor'),
    fc.oneof(
      fc.constantFrom('admin', 'a$user', '', 'x'),
      fc
        .jsonValue({ maxDepth: 2 })
        .filter(value => !/\$|__proto__/.test(JSON.stringify(value))),
    ),
  ),
});
interface Node {
  readonly rule?: string;
  readonly params?: object;
}
const { tree } = fc.letrec<{ tree: Node }>(tie => {
  const group = fc.array(tie('tree'), { minLength: 1, maxLength: 3 });
  return {
    tree: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaf,
      group.map(allOf => ({ allOf }) as Node),
      group.map(anyOf => ({ anyOf }) as Node),
      tie('tree').map(not => ({ not }) as Node),
    ),
  };
});
/** The rules of a policy in Rego name their resource type. */
const typed = (node: unknown, resourceType: string): unknown => {
  if (Array.isArray(node)) return node.map(each => typed(each, resourceType));
  if ((node as Node).rule !== undefined) return { ...(node as Node), resourceType };
  return Object.fromEntries(
    Object.entries(node as Node).map(([key, child]) => [
      key,
      typed(child, resourceType),
    ]),
  );
};

interface Written {
  readonly permissions?: string[];
  readonly actions?: Action[];
  readonly resourceTypes?: string[];
  readonly groups?: string[];
  readonly result?: 'allow' | 'deny';
  readonly conditions?: Node;
}
const written: fc.Arbitrary<Written> = fc
  .tuple(
    fc.record(
      {
        permissions: fc.uniqueArray(name, { minLength: 1, maxLength: 2 }),
        actions: fc.uniqueArray(fc.constantFrom<Action>(...ACTIONS), { minLength: 1 }),
        resourceTypes: fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1 }),
        groups: fc.uniqueArray(ref, { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
    fc.oneof(
      fc.constantFrom({ result: 'allow' as const }, { result: 'deny' as const }),
      tree.map(conditions => ({ pluginId: 'catalog', conditions })),
    ),
  )
  .map(([fit, says]) => ({ ...fit, ...says }));

/** What a policy in Rego would answer that says the same, written down without our code. */
function asRego(
  rules: readonly Written[],
  otherwise: string | undefined,
  { permission: of, principal }: PermissionRequest,
): object {
  const resourceType = 'resourceType' in of ? of.resourceType : undefined;
  const claims = principal.ownershipEntityRefs.map(each => each.toLowerCase());
  const fits = (rule: Written): boolean =>
    (rule.permissions?.some(each => `${of.name}.`.startsWith(`${each}.`)) ?? true) &&
    (rule.actions?.includes(of.attributes.action ?? 'none') ?? true) &&
    (rule.resourceTypes?.includes(resourceType ?? 'basic') ?? true) &&
    (rule.conditions === undefined || resourceType !== undefined);
  const isFor = ({ groups }: Written): boolean =>
    groups?.some(each => claims.includes(each.toLowerCase())) ?? true;
  const fitting = rules.filter(fits);
  const rule = fitting.find(isFor);
  if (!rule) {
    return {
      result: fitting.length > 0 && otherwise === 'deny' ? 'DENY' : 'NOT_APPLICABLE',
    };
  }
  return rule.conditions === undefined
    ? { result: rule.result!.toUpperCase() }
    : {
        result: 'CONDITIONAL',
        pluginId: 'catalog',
        resourceType,
        conditions: typed(rule.conditions, resourceType!),
      };
}

it('as Rego does that says the same', () => {
  fc.assert(
    fc.property(
      fc.array(written, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('deny', 'not-applicable'),
      fc.array(question, { minLength: 1, maxLength: 5 }),
      (rules, given, questions) => {
        const otherwise = rules.some(({ groups }) => groups)
          ? { otherwise: given }
          : {};
        const yaml = conditionsSource({ rules, ...otherwise });
        for (const each of questions) {
          expect(said(yaml.ask(each))).toEqual(
            said(regoAnswer(asRego(rules, given, each))),
          );
        }
      },
    ),
    { numRuns: 1000 },
  );
});
