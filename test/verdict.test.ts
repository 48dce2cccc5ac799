import { allow, conditional, deny, notApplicable } from '../src/verdict';
import { rule } from './fixtures/builders';

it.each([
  ['ALLOW', allow],
  ['DENY', deny],
  ['NOT_APPLICABLE', notApplicable],
])('%s holds its reason and nothing else', (kind, make) => {
  expect(make('because')).toEqual({ kind, reason: 'because' });
});

it('CONDITIONAL holds what Backstage applies, and nothing else of the decision', () => {
  const decision = {
    pluginId: 'catalog',
    resourceType: 'catalog-entity',
    conditions: rule('IS_ENTITY_OWNER', { params: { claims: [] } }),
  };
  expect(conditional('because', { ...decision, extra: 'ignored' } as never)).toEqual({
    kind: 'CONDITIONAL',
    reason: 'because',
    ...decision,
  });
});
