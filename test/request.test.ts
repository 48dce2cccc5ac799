import type { Permission } from '@backstage/plugin-permission-common';
import {
  anonymous,
  InvalidRequestError,
  MAX_PERMISSION_NAME_LENGTH,
  readPermission,
  readPrincipal,
} from '../src/request';
import { permission } from './fixtures/builders';

const read = (asked: unknown) => readPermission({ permission: asked as Permission });

const NEITHER =
  'the permission is neither a basic permission nor a resource permission with a resource type';

describe('readPermission', () => {
  it.each([
    ['a basic permission', permission('catalog.entity.create', { action: 'create' })],
    ['a basic permission without an action', permission('kubernetes.proxy')],
    [
      'a resource permission',
      permission('catalog.entity.read', {
        action: 'read',
        resourceType: 'catalog-entity',
      }),
    ],
    [
      'an action of 256 characters',
      permission('a', { action: 'x'.repeat(MAX_PERMISSION_NAME_LENGTH) }),
    ],
    ['an empty name', permission('')],
    ['a name of 256 characters', permission('a'.repeat(MAX_PERMISSION_NAME_LENGTH))],
    [
      'a resource type of 256 characters',
      permission('a', { resourceType: 'x'.repeat(MAX_PERMISSION_NAME_LENGTH) }),
    ],
    ['a name with any characters', permission('__proto__..日本 \u0000')],
  ])('reads %s as it is', (_what, asked) => {
    expect(read(asked)).toEqual(asked);
  });

  it.each([
    ['no name', { type: 'basic', attributes: {} }, 'has no name'],
    ['a name that is not a string', { ...permission('a'), name: ['a'] }, 'has no name'],
    [
      'a name of 257 characters',
      permission('a'.repeat(MAX_PERMISSION_NAME_LENGTH + 1)),
      'is longer than 256 characters',
    ],
    [
      'a name of a megabyte',
      permission('a'.repeat(1_000_000)),
      'is longer than 256 characters',
    ],
    [
      'an action that is not a string',
      { ...permission('a'), attributes: { action: ['read'] } },
      "the permission's action is not a string",
    ],
    [
      'an action of null',
      { ...permission('a'), attributes: { action: null } },
      "the permission's action is not a string",
    ],
    [
      'an action of 257 characters',
      permission('a', { action: 'x'.repeat(MAX_PERMISSION_NAME_LENGTH + 1) }),
      "the permission's action is longer than 256 characters",
    ],
    ['no type', { name: 'a', attributes: {} }, NEITHER],
    ['another type', { ...permission('a'), type: 'other' }, NEITHER],
    [
      'a resource permission without a resource type',
      { ...permission('a'), type: 'resource' },
      NEITHER,
    ],
    [
      'a resource type that is not a string',
      { ...permission('a'), type: 'resource', resourceType: ['catalog-entity'] },
      NEITHER,
    ],
    [
      'a resource type of 257 characters',
      permission('a', { resourceType: 'x'.repeat(MAX_PERMISSION_NAME_LENGTH + 1) }),
      'the resource type is longer than 256 characters',
    ],
  ])('refuses %s', (_what, asked, message) => {
    expect(() => read(asked)).toThrow(InvalidRequestError);
    expect(() => read(asked)).toThrow(message);
  });

  it('does not repeat what is too long', () => {
    const long = 'x'.repeat(1000);
    expect(() => read(permission(long))).toThrow(/^(?!.*xxx)/);
    expect(() => read(permission('a', { resourceType: long }))).toThrow(/^(?!.*xxx)/);
  });

  it('takes no more than Backstage defines', () => {
    const asked = {
      ...permission('a', { action: 'read', resourceType: 'x' }),
      attributes: { action: 'read', extra: 1 },
      rules: ['A'],
    };
    expect(read(asked)).toEqual({
      type: 'resource',
      name: 'a',
      attributes: { action: 'read' },
      resourceType: 'x',
    });
  });

  it('leaves a resource type out of a basic permission', () => {
    expect(read({ ...permission('a'), resourceType: 'catalog-entity' })).toEqual(
      permission('a'),
    );
  });

  it('takes a permission without attributes for one without an action', () => {
    expect(read({ type: 'basic', name: 'a' })).toEqual(permission('a'));
  });

  it('gives a frozen copy, which no source can change for another', () => {
    const asked = permission('a', { action: 'read', resourceType: 'x' });
    const copy = read(asked);
    expect(copy).not.toBe(asked);
    expect(Object.isFrozen(copy)).toBe(true);
    expect(Object.isFrozen(copy.attributes)).toBe(true);
    asked.attributes.action = 'delete';
    expect(copy.attributes.action).toBe('read');
  });
});

describe('readPrincipal', () => {
  const info = {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia', 'group:default/payments'],
  };

  it('reads the user and the ownership refs', () => {
    expect(readPrincipal(info)).toEqual(info);
  });

  it('takes a user without ownership refs', () => {
    expect(
      readPrincipal({ ...info, ownershipEntityRefs: [] }).ownershipEntityRefs,
    ).toEqual([]);
  });

  it('gives a frozen copy', () => {
    const refs = [...info.ownershipEntityRefs];
    const principal = readPrincipal({ ...info, ownershipEntityRefs: refs });
    refs.push('group:default/platform');
    expect(principal).toEqual(info);
    expect(Object.isFrozen(principal)).toBe(true);
    expect(Object.isFrozen(principal.ownershipEntityRefs)).toBe(true);
  });

  it('reads each ref once, so the refs it checks are the refs it gives', () => {
    let looks = 0;
    const refs = new Proxy(['user:default/olivia'], {
      get: (list, key, self) => {
        const value: unknown = Reflect.get(list, key, self);
        return key === '0' && ++looks > 1 ? {} : value;
      },
    });
    const { ownershipEntityRefs } = readPrincipal({
      ...info,
      ownershipEntityRefs: refs,
    });
    expect(ownershipEntityRefs).toEqual(['user:default/olivia']);
  });

  it.each([
    ['no user', { ownershipEntityRefs: [] }],
    ['a user that is not a string', { ...info, userEntityRef: null }],
    ['no ownership refs', { userEntityRef: 'user:default/olivia' }],
    [
      'ownership refs that are not a list',
      { ...info, ownershipEntityRefs: 'group:default/a' },
    ],
    [
      'an ownership ref that is not a string',
      { ...info, ownershipEntityRefs: ['group:default/a', null] },
    ],
  ])('refuses an identity with %s', (_what, incomplete) => {
    const reading = () => readPrincipal(incomplete as typeof info);
    expect(reading).toThrow(InvalidRequestError);
    expect(reading).toThrow('the identity of the user is incomplete');
  });
});

it('a request without a user has no refs, and that cannot be changed', () => {
  const principal = anonymous();
  expect(principal).toEqual({ ownershipEntityRefs: [] });
  expect(Object.isFrozen(principal)).toBe(true);
  expect(Object.isFrozen(principal.ownershipEntityRefs)).toBe(true);
});
