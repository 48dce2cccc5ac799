import type { Permission } from '@backstage/plugin-permission-common';
import type { PermissionRequest } from '../../../src/request';
import { permission, request } from '../../fixtures/builders';
import { conditionsSource } from '../../support/conditions-source';

const READ = permission('catalog.entity.read', {
  action: 'read',
  resourceType: 'catalog-entity',
});
const DELETE = permission('catalog.entity.delete', {
  action: 'delete',
  resourceType: 'catalog-entity',
});
const TASK = permission('scaffolder.task.read', {
  action: 'read',
  resourceType: 'scaffolder-task',
});
const CREATE = permission('catalog.location.create', { action: 'create' });
const VALIDATE = permission('catalog.entity.validate');

const ADMIN = { rule: 'HAS_SPEC', params: { key: 'permission', value: 'admin' } };
const HIDE = { pluginId: 'catalog', conditions: { not: ADMIN } };
const ALLOW = { result: 'allow' };
const DENY = { result: 'deny' };
const REFS = ['user:default/olivia', 'group:default/payments'];

/** The verdict, with the rule that decided: `allow by rules[0]`. */
function ask(
  rules: object[],
  asked: Permission,
  refs = REFS,
  otherwise?: string,
): string {
  const source = conditionsSource({ rules, ...(otherwise ? { otherwise } : {}) });
  const { kind, ...answer } = source.ask(request(asked, refs));
  const [label] = /rules\[\d+\]/.exec((answer as { reason: string }).reason) ?? [''];
  return `${kind} ${label}`.trim();
}

describe('a rule fits', () => {
  it.each<[what: string, fit: object, fitting: Permission[]]>([
    ['everything, if it names nothing', {}, [READ, DELETE, TASK, CREATE, VALIDATE]],
    [
      'permissions that begin so',
      { permissions: ['catalog.entity'] },
      [READ, DELETE, VALIDATE],
    ],
    [
      'permissions that begin with one of these',
      { permissions: ['scaffolder.*', 'catalog.location'] },
      [TASK, CREATE],
    ],
    [
      'every permission',
      { permissions: ['*'] },
      [READ, DELETE, TASK, CREATE, VALIDATE],
    ],
    ['no part of a segment', { permissions: ['catalog.ent'] }, []],
    ['an action', { actions: ['read'] }, [READ, TASK]],
    ['one of several actions', { actions: ['delete', 'create'] }, [DELETE, CREATE]],
    ['permissions without an action', { actions: ['none'] }, [VALIDATE]],
    ['a resource type', { resourceTypes: ['catalog-entity'] }, [READ, DELETE]],
    [
      'no resource type in another letter case',
      { resourceTypes: ['Catalog-Entity'] },
      [],
    ],
    [
      'only what fits all of it',
      {
        permissions: ['catalog'],
        actions: ['read', 'create'],
        resourceTypes: ['catalog-entity'],
      },
      [READ],
    ],
  ])('%s', (_what, fit, fitting) => {
    const all = [READ, DELETE, TASK, CREATE, VALIDATE];
    const fits = (asked: Permission): boolean =>
      ask([{ ...fit, ...DENY }], asked) === 'DENY rules[0]';
    expect(all.filter(fits)).toEqual(fitting);
    for (const asked of all.filter(each => !fitting.includes(each))) {
      expect(ask([{ ...fit, ...DENY }], asked)).toBe('NOT_APPLICABLE');
    }
  });

  it('resource permissions only, if it has conditions', () => {
    expect(ask([HIDE, ALLOW], READ)).toBe('CONDITIONAL rules[0]');
    expect(ask([HIDE, ALLOW], CREATE)).toBe('ALLOW rules[1]');
    expect(ask([HIDE], CREATE)).toBe('NOT_APPLICABLE');
  });
});

describe('rules', () => {
  it('are read in their order: the first one that fits decides', () => {
    const rules = [{ actions: ['delete'], ...DENY }, HIDE, DENY];
    expect(ask(rules, DELETE)).toBe('DENY rules[0]');
    expect(ask(rules, READ)).toBe('CONDITIONAL rules[1]');
    expect(ask(rules, CREATE)).toBe('DENY rules[2]');
    expect(ask([ALLOW, DENY], READ)).toBe('ALLOW rules[0]');
  });
});

describe('groups', () => {
  const FOR_PAYMENTS = { groups: ['Group:Default/Payments'], ...ALLOW };
  const FOR_OTHERS = { groups: ['group:default/other', 'user:default/petra'], ...DENY };

  it('are compared in any letter case', () => {
    for (const ref of ['group:default/payments', 'GROUP:default/PAYMENTS']) {
      expect(ask([FOR_PAYMENTS], READ, [ref], 'deny')).toBe('ALLOW rules[0]');
    }
  });

  it.each([
    ['a group of another namespace', ['group:other/payments']],
    ['a user of its name', ['user:default/payments']],
    ['a group whose name begins like it', ['group:default/payments-guests']],
    ['nothing', []],
  ])('do not fit a member of %s', (_what, refs) => {
    expect(ask([FOR_PAYMENTS], READ, refs, 'deny')).toBe('DENY rules[0]');
    expect(ask([FOR_PAYMENTS], READ, refs, 'not-applicable')).toBe(
      'NOT_APPLICABLE rules[0]',
    );
  });

  it('fit a user by the own ref too', () => {
    expect(ask([FOR_OTHERS], READ, ['user:default/petra'], 'not-applicable')).toBe(
      'DENY rules[0]',
    );
  });

  it('that do not fit leave it to the next rule', () => {
    expect(ask([FOR_OTHERS, HIDE], READ, REFS, 'deny')).toBe('CONDITIONAL rules[1]');
    expect(ask([FOR_OTHERS, FOR_PAYMENTS], READ, REFS, 'deny')).toBe('ALLOW rules[1]');
  });

  it('say nothing of questions that the rest of the rule does not fit', () => {
    const rule = { ...FOR_PAYMENTS, actions: ['delete'] };
    expect(ask([rule], READ, [], 'deny')).toBe('NOT_APPLICABLE');
    expect(ask([rule], DELETE, [], 'deny')).toBe('DENY rules[0]');
    expect(
      ask([{ ...HIDE, groups: ['group:default/other'] }], CREATE, [], 'deny'),
    ).toBe('NOT_APPLICABLE');
  });

  it('are not those of a user who is in one of another rule', () => {
    const rules = [
      { ...ALLOW, groups: ['group:default/payments'], actions: ['read'] },
      { ...ALLOW, groups: ['group:default/other'], actions: ['delete'] },
    ];
    expect(ask(rules, READ, REFS, 'deny')).toBe('ALLOW rules[0]');
    expect(ask(rules, DELETE, REFS, 'deny')).toBe('DENY rules[1]');
  });
});

describe('conditions', () => {
  const answer = (rule: object, asked: PermissionRequest) =>
    conditionsSource({ rules: [{ pluginId: 'catalog', ...rule }] }).ask(asked);

  it('are for the resource type of the permission, in every rule', () => {
    const conditions = { anyOf: [{ not: ADMIN }, { allOf: [{ rule: 'R' }] }] };
    const resourceType = 'scaffolder-task';
    expect(answer({ conditions }, request(TASK, REFS))).toEqual({
      kind: 'CONDITIONAL',
      reason: 'allowed under the conditions of rules[0]',
      pluginId: 'catalog',
      resourceType,
      conditions: {
        anyOf: [
          { not: { ...ADMIN, resourceType } },
          { allOf: [{ rule: 'R', resourceType, params: {} }] },
        ],
      },
    });
  });

  it('may name the resource type', () => {
    const conditions = { ...ADMIN, resourceType: 'catalog-entity' };
    const resourceTypes = ['catalog-entity'];
    expect(answer({ conditions, resourceTypes }, request(READ, REFS))).toMatchObject({
      conditions,
    });
  });

  it('that are the same for everybody are made once for a resource type that is named', () => {
    const source = conditionsSource({
      rules: [{ ...HIDE, resourceTypes: ['catalog-entity'] }],
    });
    const [one, other] = [request(READ, REFS), request(DELETE, [])].map(each =>
      source.ask(each),
    );
    expect(one).toMatchObject({ kind: 'CONDITIONAL' });
    expect((other as { conditions?: object }).conditions).toBe(
      (one as { conditions?: object }).conditions,
    );
  });

  it('have text that begins with $$ with one $, at any depth', () => {
    const params = { a: '$$user', b: ['$$$x', { c: '$$' }], d: 'x$$y', e: 1, f: null };
    expect(answer({ conditions: { rule: 'R', params } }, request(READ))).toMatchObject({
      conditions: {
        params: { a: '$user', b: ['$$x', { c: '$' }], d: 'x$$y', e: 1, f: null },
      },
    });
  });
});

describe('a placeholder', () => {
  const rule = (value: string): object => ({
    ...HIDE,
    conditions: { anyOf: [ADMIN, { rule: 'R', params: { first: 1, value } }] },
  });
  const valueFor = (
    value: string,
    principal: PermissionRequest['principal'],
  ): unknown => {
    const source = conditionsSource({ rules: [rule(value), ALLOW] });
    const said = source.ask({ permission: READ, principal });
    if (said.kind !== 'CONDITIONAL')
      return 'reason' in said && `${said.kind}: ${said.reason}`;
    const [, { params }] = (
      said.conditions as never as { anyOf: [object, { params: object }] }
    ).anyOf;
    return params;
  };
  const anonymous = { ownershipEntityRefs: [] };
  const olivia = { userEntityRef: 'user:default/Olivia', ownershipEntityRefs: [] };

  it('$ownershipRefs stands for the refs, as they are and in lower case', () => {
    const ownershipEntityRefs = [
      'user:default/Olivia',
      'group:default/a',
      'group:default/a',
    ];
    expect(valueFor('$ownershipRefs', { ...olivia, ownershipEntityRefs })).toEqual({
      first: 1,
      value: ['user:default/Olivia', 'user:default/olivia', 'group:default/a'],
    });
  });

  it('$user stands for the ref of the user, as it is', () => {
    expect(valueFor('$user', olivia)).toEqual({
      first: 1,
      value: 'user:default/Olivia',
    });
  });

  it('without a value makes the rule deny; it does not leave it to the next', () => {
    expect(valueFor('$user', anonymous)).toBe('DENY: rules[0]: there is no user');
    expect(valueFor('$ownershipRefs', anonymous)).toBe(
      'DENY: rules[0]: the user has no ownership refs',
    );
    expect(valueFor('$ownershipRefs', olivia)).toBe(
      'DENY: rules[0]: the user has no ownership refs',
    );
  });

  it('is filled in for each user', () => {
    const source = conditionsSource({
      rules: [{ ...rule('$ownershipRefs'), resourceTypes: ['catalog-entity'] }],
    });
    const texts = [['group:default/a'], ['group:default/b'], []].map(refs =>
      JSON.stringify(source.ask(request(READ, refs))),
    );
    expect(texts[0]).toContain('group:default/a');
    expect(texts[1]).toContain('group:default/b');
    expect(texts[1]).not.toContain('group:default/a');
    expect(texts[2]).toContain('DENY');
  });
});

it('a question is decided once for a principal', () => {
  const source = conditionsSource({ rules: [{ ...HIDE }] });
  const asked = request(READ, REFS);
  const first = source.ask(asked);
  expect(source.ask({ ...asked, permission: { ...READ } })).toBe(first);
  expect(source.ask({ ...asked, permission: DELETE })).not.toBe(first);
  expect(source.ask(request(READ, REFS))).not.toBe(first);
});
