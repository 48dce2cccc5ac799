import { misfit } from '../../src/conditions/fit';
import type { Conditional, Conditions } from '../../src/verdict';
import { all, any, not, permission, rule, when } from '../fixtures/builders';

const update = permission('catalog.entity.update', { resourceType: 'catalog-entity' });

const problem = (changes: object = {}, asked = update): string | undefined =>
  misfit({ ...when(rule('IS_OWNER')), ...changes } as Conditional, asked);

const ofConditions = (conditions: Conditions): string | undefined =>
  problem({ conditions });

describe('conditions can be applied', () => {
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
      'a conditional verdict for "catalog.entity.create", which is not a resource permission',
    );
  });

  it('for another resource type than that of the permission', () => {
    expect(problem({ resourceType: 'location' })).toBe(
      'conditions for resource type "location", not "catalog-entity"',
    );
  });

  it.each([
    '',
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
      `conditions of ${JSON.stringify(pluginId)}, which is not a plugin id`,
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
      'in several places of which the first is named',
      all(far, rule('G', { resourceType: 'x' })),
      farProblem,
    ],
  ])('that contain %s', (_what, conditions, expected) => {
    expect(ofConditions(conditions)).toBe(expected);
  });

  it('on one line of bounded length, whatever they contain', () => {
    const name = `A\n${'x'.repeat(1_000_000)}`;
    const message = ofConditions(rule(name, { resourceType: name }));
    expect(message).toMatch(
      /^rule "A\\nx+…" for resource type "A\\nx+…", not "catalog-entity"$/,
    );
    expect(message!.length).toBeLessThan(300);
  });
});
