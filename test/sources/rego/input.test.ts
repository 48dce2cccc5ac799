import { regoInput } from '../../../src/sources/rego/input';
import { permission } from '../../fixtures/builders';

const claims = ['user:default/olivia', 'group:default/payments'];

it('has the whole permission, the user and the claims', () => {
  const asked = permission('catalog.entity.read', {
    action: 'read',
    resourceType: 'catalog-entity',
  });
  const principal = {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: claims,
  };
  expect(regoInput({ permission: asked, principal })).toEqual({
    permission: {
      name: 'catalog.entity.read',
      type: 'resource',
      attributes: { action: 'read' },
      resourceType: 'catalog-entity',
    },
    identity: { user: 'user:default/olivia', claims },
  });
});

it('has no user and no claims for an anonymous request', () => {
  const asked = permission('catalog.entity.create');
  const input = regoInput({
    permission: asked,
    principal: { ownershipEntityRefs: [] },
  });
  expect(JSON.parse(JSON.stringify(input))).toEqual({
    permission: { name: 'catalog.entity.create', type: 'basic', attributes: {} },
    identity: { claims: [] },
  });
  expect('user' in input.identity).toBe(false);
});
