import { shapeProblem } from '../../../src/guard/conditions/shape';
import type { Conditional, Criteria } from '../../../src/verdict';
import { all, any, not, permission, rule, when } from '../../fixtures/builders';

const update = permission('catalog.entity.update', { resourceType: 'catalog-entity' });

const problem = (changes: object = {}, asked = update): string | undefined =>
  shapeProblem({ ...when(rule('IS_OWNER')), ...changes } as Conditional, asked);

const ofConditions = (conditions: unknown): string | undefined =>
  problem({ conditions: conditions as Criteria });

describe('conditions may be applied', () => {
  it.each([
    ['of one rule', rule('IS_OWNER')],
    ['of a rule with parameters', rule('IS_OWNER', { params: { claims: [] } })],
    ['in groups and negations', all(any(rule('A'), not(rule('B'))), rule('C'))],
  ])('%s', (_what, conditions) => {
    expect(ofConditions(conditions)).toBeUndefined();
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
