import type { Permission } from '@backstage/plugin-permission-common';
import { OwnershipSource, type OwnerRule } from '../../../src/sources/ownership/source';
import { permission, request } from '../../fixtures/builders';

const entityUpdate = permission('catalog.entity.update', {
  action: 'update',
  resourceType: 'catalog-entity',
});
const taskRead = permission('scaffolder.task.read', {
  action: 'read',
  resourceType: 'scaffolder-task',
});

function ask(
  asked: Permission,
  refs: string[],
  options: {
    bypass?: string[];
    kinds?: string[];
    resources?: Record<string, OwnerRule>;
  } = {},
) {
  const source = new OwnershipSource({
    bypass: options.bypass ?? [],
    kinds: options.kinds,
    resources: new Map(Object.entries(options.resources ?? {})),
  });
  return source.ask(request(asked, refs));
}

describe('ownership', () => {
  it('of an entity is the rule of the catalog with the refs of the user', () => {
    const refs = ['user:default/olivia', 'group:default/payments'];
    expect(ask(entityUpdate, refs)).toEqual({
      kind: 'CONDITIONAL',
      reason: 'allowed to owners of the catalog-entity',
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: {
        anyOf: [
          {
            resourceType: 'catalog-entity',
            rule: 'IS_ENTITY_OWNER',
            params: { claims: refs },
          },
        ],
      },
    });
  });

  it('of a task is the rule of the scaffolder', () => {
    expect(ask(taskRead, ['user:default/olivia'])).toEqual({
      kind: 'CONDITIONAL',
      reason: 'allowed to owners of the scaffolder-task',
      pluginId: 'scaffolder',
      resourceType: 'scaffolder-task',
      conditions: {
        anyOf: [
          {
            resourceType: 'scaffolder-task',
            rule: 'IS_TASK_OWNER',
            params: { createdBy: ['user:default/olivia'] },
          },
        ],
      },
    });
  });

  it('of a configured resource type is its rule', () => {
    const resources = { tool: { pluginId: 'tools', rule: 'IS_MINE', param: 'refs' } };
    const use = permission('tools.use', { resourceType: 'tool' });
    expect(ask(use, ['user:default/olivia'], { resources })).toMatchObject({
      pluginId: 'tools',
      resourceType: 'tool',
      conditions: {
        anyOf: [
          {
            resourceType: 'tool',
            rule: 'IS_MINE',
            params: { refs: ['user:default/olivia'] },
          },
        ],
      },
    });
  });

  it.each([
    ['scaffolder-task', taskRead],
    ['catalog-entity', entityUpdate],
  ])('of %s can be configured otherwise', (resourceType, asked) => {
    const resources = { [resourceType]: { pluginId: 'mine', rule: 'R', param: 'p' } };
    expect(ask(asked, ['user:default/olivia'], { resources })).toMatchObject({
      pluginId: 'mine',
      resourceType,
      conditions: { anyOf: [{ rule: 'R', params: { p: ['user:default/olivia'] } }] },
    });
  });

  it.each([
    ['an entity, whose owners are in lower case', entityUpdate, 'claims'],
    ['a task, whose creator is as signed in', taskRead, 'createdBy'],
  ])('names refs as they are and in lower case, for %s', (_what, asked, param) => {
    expect(ask(asked, ['User:Default/Olivia', 'GROUP:default/ÄÖ'])).toMatchObject({
      conditions: {
        anyOf: [
          {
            params: {
              [param]: [
                'User:Default/Olivia',
                'user:default/olivia',
                'GROUP:default/ÄÖ',
                'group:default/äö',
              ],
            },
          },
        ],
      },
    });
  });

  it('names every ref once', () => {
    const refs = ['user:default/olivia', 'group:default/a', 'user:default/olivia'];
    expect(ask(entityUpdate, refs)).toMatchObject({
      conditions: {
        anyOf: [{ params: { claims: ['user:default/olivia', 'group:default/a'] } }],
      },
    });
  });

  it.each([
    ['an entity', entityUpdate],
    ['a task', taskRead],
  ])('of %s is denied to a user without refs', (_what, asked) => {
    expect(ask(asked, [])).toEqual({
      kind: 'DENY',
      reason: 'the user has no ownership refs',
    });
  });

  it('is denied to a user without refs even where a bypass is configured', () => {
    expect(ask(entityUpdate, [], { bypass: ['group:default/platform'] }).kind).toBe(
      'DENY',
    );
  });
});

describe('kinds', () => {
  const kinds = ['component', 'api'];
  const refs = ['user:default/olivia'];

  it('are a condition in addition to ownership, for an entity', () => {
    expect(ask(entityUpdate, refs, { kinds })).toEqual({
      kind: 'CONDITIONAL',
      reason: 'allowed to owners of the catalog-entity, of kind component or api',
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: {
        allOf: [
          { resourceType: 'catalog-entity', rule: 'IS_ENTITY_KIND', params: { kinds } },
          {
            resourceType: 'catalog-entity',
            rule: 'IS_ENTITY_OWNER',
            params: { claims: refs },
          },
        ],
      },
    });
  });

  it('do not concern other resources than entities', () => {
    expect(ask(taskRead, refs, { kinds })).toEqual(ask(taskRead, refs));
  });

  it('do not bind a bypass', () => {
    const bypass = ['user:default/olivia'];
    expect(ask(entityUpdate, refs, { kinds, bypass }).kind).toBe('ALLOW');
  });

  it('open nothing to a user without refs', () => {
    expect(ask(entityUpdate, [], { kinds }).kind).toBe('DENY');
  });
});

describe('a bypass', () => {
  const bypass = ['Group:Default/Platform'];
  const member = ['user:default/petra', 'group:default/PLATFORM'];

  it.each([
    ['an entity', entityUpdate],
    ['a task', taskRead],
  ])('allows %s to its members, whatever the letter case', (_what, asked) => {
    expect(ask(asked, member, { bypass })).toEqual({
      kind: 'ALLOW',
      reason: 'bypass: member of group:default/platform',
      bypass: 'group:default/platform',
    });
  });

  it('allows configured resource types to its members', () => {
    const resources = { tool: { pluginId: 'tools', rule: 'IS_MINE', param: 'refs' } };
    const use = permission('tools.use', { resourceType: 'tool' });
    expect(ask(use, member, { bypass, resources }).kind).toBe('ALLOW');
  });

  it.each([
    ['nobody else', ['group:default/payments']],
    ['no group whose name begins like it', ['group:default/platform-guests']],
    ['no group of another namespace', ['group:other/platform']],
    ['no user of its name', ['user:default/platform']],
  ])('allows %s', (_who, refs) => {
    expect(ask(entityUpdate, refs, { bypass }).kind).toBe('CONDITIONAL');
  });

  it('does not reach basic permissions', () => {
    const basic = permission('catalog.entity.create', { action: 'create' });
    expect(ask(basic, member, { bypass }).kind).toBe('NOT_APPLICABLE');
  });

  it('does not reach resource types that ownership does not know', () => {
    const other = permission('other.read', { resourceType: 'other' });
    expect(ask(other, member, { bypass }).kind).toBe('NOT_APPLICABLE');
  });
});

describe('ownership abstains', () => {
  it.each([
    ['on a basic permission', permission('catalog.entity.create')],
    ['on an unknown resource type', permission('a', { resourceType: 'other' })],
    [
      'on a resource type in another letter case',
      permission('a', { resourceType: 'Catalog-Entity' }),
    ],
    [
      'on a resource type named like a member of objects',
      permission('a', { resourceType: '__proto__' }),
    ],
    ['on an empty resource type', permission('a', { resourceType: '' })],
  ])('%s', (_when, asked) => {
    expect(ask(asked, ['user:default/olivia']).kind).toBe('NOT_APPLICABLE');
    expect(ask(asked, []).kind).toBe('NOT_APPLICABLE');
  });
});
