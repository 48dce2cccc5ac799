import fc from 'fast-check';
import { shapeProblem, withParams } from '../../src/conditions/fit';
import type { Conditional, Criteria } from '../../src/verdict';
import { all, any, not, permission, rule, when } from '../fixtures/builders';

const update = permission('catalog.entity.update', { resourceType: 'catalog-entity' });

const problem = (changes: object = {}, asked = update): string | undefined =>
  shapeProblem({ ...when(rule('IS_OWNER')), ...changes } as Conditional, asked);

const ofConditions = (conditions: unknown): string | undefined =>
  problem({ conditions: conditions as Criteria });

describe('conditions may be applied', () => {
  it.each([
    ['of one rule', rule('IS_OWNER')],
    ['of a rule with parameters', rule('IS_OWNER', { params: { claims: [] } })],
    ['of a rule with empty parameters', rule('IS_OWNER', { params: {} })],
    ['in groups and negations', all(any(rule('A'), not(rule('B'))), rule('C'))],
  ])('%s', (_what, conditions) => {
    expect(ofConditions(conditions)).toBeUndefined();
  });

  it.each([
    'catalog',
    'c',
    'C',
    '7',
    'my-plugin',
    'my_plugin',
    'a-',
    'a_',
    '0-A_z9',
    'x'.repeat(64),
  ])('by the plugin %j', pluginId => {
    expect(problem({ pluginId })).toBeUndefined();
  });
});

describe('conditions are refused', () => {
  it('for a basic permission', () => {
    expect(problem({}, permission('catalog.entity.create'))).toBe(
      'a conditional verdict for "catalog.entity.create", which is no resource permission',
    );
  });

  it('for another resource type than that of the permission', () => {
    expect(problem({ resourceType: 'location' })).toBe(
      'conditions for resource type "location", not "catalog-entity"',
    );
  });

  it.each([
    ['an empty plugin', ''],
    ['no plugin', undefined],
    ['a plugin that is no text', 1],
  ])('with %s', (_what, pluginId) => {
    expect(problem({ pluginId })).toBe('conditions without a pluginId');
  });

  it.each([
    '../catalog',
    '..',
    '.',
    'a/b',
    'a\\b',
    'a.b',
    'a b',
    ' catalog',
    'catalog ',
    'catalog\n',
    '\ncatalog',
    'catalog\nother',
    'a\u0000',
    'a?b',
    'a#b',
    'a%2Fb',
    'a:b',
    'a@b',
    '-catalog',
    '_catalog',
    'katalög',
    'ſ',
    '__proto__',
    'x'.repeat(65),
  ])('by %j, which would become part of a URL', pluginId => {
    expect(problem({ pluginId })).toBe(
      `conditions of ${JSON.stringify(pluginId)}, which is no plugin id`,
    );
  });

  const far = rule('FAR', { resourceType: 'location' });
  const farProblem = 'rule "FAR" for resource type "location", not "catalog-entity"';

  it.each([
    ['a rule of another resource type', far, farProblem],
    ['such a rule in a group', all(rule('A'), far), farProblem],
    [
      'such a rule deep down',
      any(rule('A'), not(all(rule('B'), not(far)))),
      farProblem,
    ],
    [
      'a rule without a resource type',
      { rule: 'A' },
      'rule "A" for resource type "undefined", not "catalog-entity"',
    ],
    ['an empty allOf', all(), 'an empty allOf'],
    ['an empty anyOf', any(), 'an empty anyOf'],
    ['an empty group deep down', all(rule('A'), not(any())), 'an empty anyOf'],
    ['a group that is no list', { anyOf: rule('A') }, 'an empty anyOf'],
    ['a rule without a name', rule(''), 'a condition without a rule'],
    [
      'a rule that is no text',
      { rule: 1, resourceType: 'catalog-entity' },
      'a condition without a rule',
    ],
    ['an empty object', {}, 'a condition without a rule'],
    ...[
      { ...all(rule('A')), ...any(rule('B')) },
      { ...any(rule('A')), ...not(rule('B')) },
      { ...not(rule('A')), ...rule('B') },
      { ...all(), ...rule('B') },
    ].map((node): [string, unknown, string] => {
      const kinds = Object.keys(node).filter(key => key !== 'resourceType');
      return [
        kinds.join(' and ') + ' in one',
        all(rule('A'), node),
        `a condition that has ${kinds.join(' and ')}`,
      ];
    }),
    ...['text', 7, true, null, [], [{}]].map((params): [string, unknown, string] => [
      `params that are ${JSON.stringify(params)}`,
      any(rule('A'), rule('B', { params } as object)),
      'rule "B" with params that are no object',
    ]),
    [
      'in a group what is wrong with the first wrong one',
      all(rule('A'), any(rule('')), far),
      'a condition without a rule',
    ],
    ['a list in place of a group', [rule('A')], 'a condition without a rule'],
    ['nothing', undefined, 'a condition that is no object'],
    ['null', null, 'a condition that is no object'],
    ['text', 'IS_OWNER', 'a condition that is no object'],
    ['null in a group', { allOf: [null] }, 'a condition that is no object'],
    ['null in a negation', { not: null }, 'a condition that is no object'],
  ])('that hold %s', (_what, conditions, expected) => {
    expect(ofConditions(conditions)).toBe(expected);
  });

  it('on one line of bounded length, whatever they hold', () => {
    const name = `A\n${'x'.repeat(1_000_000)}`;
    const told = ofConditions(rule(name, { resourceType: name }));
    expect(told).toMatch(
      /^rule "A\\nx+…" for resource type "A\\nx+…", not "catalog-entity"$/,
    );
    expect(told!.length).toBeLessThan(300);
  });
});

describe('missing params become {}', () => {
  const params = { claims: ['user:default/olivia'] };

  it.each([
    ['of a rule', rule('A'), rule('A', { params: {} })],
    ['in an allOf', all(rule('A')), all(rule('A', { params: {} }))],
    ['in an anyOf', any(rule('A')), any(rule('A', { params: {} }))],
    ['in a negation', not(rule('A')), not(rule('A', { params: {} }))],
    [
      'deep down, beside those that have some',
      all(rule('A', { params }), any(rule('B'), not(all(rule('C'), rule('D'))))),
      all(
        rule('A', { params }),
        any(
          rule('B', { params: {} }),
          not(all(rule('C', { params: {} }), rule('D', { params: {} }))),
        ),
      ),
    ],
  ])('%s', (_what, conditions, expected) => {
    expect(withParams(conditions)).toStrictEqual(expected);
  });

  it('and params that are given stay what they are', () => {
    for (const given of [rule('A', { params }), rule('A', { params: {} })]) {
      expect(withParams(given)).toStrictEqual(given);
    }
  });

  it('and nothing else is passed on', () => {
    const more = { reason: 'because', params: undefined };
    const given = { ...all({ ...rule('A'), ...more }), ...more } as Criteria;
    expect(withParams(given)).toStrictEqual(all(rule('A', { params: {} })));
    const negated = { ...not({ ...rule('A'), ...more }), ...more } as Criteria;
    expect(withParams(negated)).toStrictEqual(not(rule('A', { params: {} })));
  });

  it('in a copy: the policy may have kept what it gave', () => {
    const given = all(rule('A'), not(rule('B')));
    const before = structuredClone(given);
    withParams(given);
    expect(given).toStrictEqual(before);
  });

  it('of every rule, and nothing else changes', () => {
    const leaf = fc
      .option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined })
      .map(given => rule('A', (given ? { params: given } : {}) as object));
    const { tree } = fc.letrec<{ tree: Criteria }>(tie => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(some => all(...some)),
        fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(some => any(...some)),
        tie('tree').map(not),
      ),
    }));
    const filled = (criteria: Criteria): unknown =>
      JSON.parse(JSON.stringify(criteria), (_key, value: unknown) =>
        isLeaf(value) ? { ...value, params: value.params ?? {} } : value,
      );
    fc.assert(
      fc.property(tree, criteria => {
        const given = withParams(criteria);
        expect(JSON.parse(JSON.stringify(given))).toEqual(filled(criteria));
        expect(withParams(given)).toStrictEqual(given);
        expect(ofConditions(given)).toBeUndefined();
      }),
    );
  });
});

const isLeaf = (value: unknown): value is { params?: unknown } =>
  typeof value === 'object' &&
  value !== null &&
  'resourceType' in value &&
  'rule' in value;
