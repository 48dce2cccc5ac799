import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { complete, type Declared } from '../../src/declared/complete';
import type { Declaration } from '../../src/declared/declaration';

const basic = (action?: string): Permission =>
  ({ name: 'a.b', type: 'basic', attributes: action ? { action } : {} }) as Permission;
const resource = (resourceType: string, action?: string): Permission => ({
  ...basic(action),
  type: 'resource',
  resourceType,
});
const one = (permission: Permission): Declaration => ({
  kind: 'one',
  pluginId: 'catalog',
  permission,
});

it.each<[string, Permission, Permission, Declared]>([
  ['without an action', basic(), basic('read'), 'completed'],
  ['without a resource type', basic('delete'), resource('t', 'delete'), 'completed'],
  ['by name only', basic(), resource('t', 'delete'), 'completed'],
  ['by name only, declared so', basic(), basic(), 'same'],
  [
    'by name only, of a resource without an action',
    basic(),
    resource('t'),
    'completed',
  ],
  ['in full', resource('t', 'read'), resource('t', 'read'), 'same'],
  ['with another action', basic('read'), basic('delete'), 'differs'],
  ['with an action that is not declared', basic('read'), basic(), 'differs'],
  [
    'with another action, without the type',
    basic('read'),
    resource('t', 'delete'),
    'differs',
  ],
  ['about another type', resource('u', 'read'), resource('t', 'read'), 'differs'],
  ['about a type, without the action', resource('t'), resource('t', 'read'), 'differs'],
  [
    'about a type that is not declared',
    resource('t', 'read'),
    basic('read'),
    'differs',
  ],
])('a question %s', (_, asked, declared, outcome) => {
  const question = complete(asked, one(declared));
  expect(question).toEqual({
    permission: outcome === 'completed' ? declared : asked,
    declared: outcome,
  });
});

it.each<[Declaration, Declared]>([
  [{ kind: 'none' }, 'none'],
  [{ kind: 'unread' }, 'unread'],
  [{ kind: 'several', pluginIds: ['a', 'b'] }, 'several'],
])('is decided as asked where %j', (declaration, declared) => {
  expect(complete(basic(), declaration)).toEqual({ permission: basic(), declared });
});

const action = fc.constantFrom(undefined, 'create', 'read', 'update', 'delete');
const anyPermission = fc
  .tuple(fc.constantFrom(undefined, 't', 'u'), action)
  .map(([type, each]) => (type === undefined ? basic(each) : resource(type, each)));

it('never changes what the caller says', () => {
  fc.assert(
    fc.property(anyPermission, anyPermission, (asked, declared) => {
      const { permission } = complete(asked, one(declared));
      expect(permission.name).toBe(asked.name);
      if (asked.attributes.action !== undefined) {
        expect(permission.attributes.action).toBe(asked.attributes.action);
      }
      if (asked.type === 'resource') expect(permission).toBe(asked);
    }),
  );
});
