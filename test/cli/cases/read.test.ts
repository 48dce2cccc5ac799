/** Test files: what they become, and what is refused. */
import { parse } from 'yaml';
import { MAX_CASES, type TestFile } from '../../../src/cli/cases/schema';
import { readTestFile, TestFileError } from '../../../src/cli/cases/read';
import type { Surroundings } from '../../../src/cli/cases/check';

const FILE = `
users:
  olivia: { ref: user:default/olivia, groups: [group:default/platform] }
  constructor: {}
entities:
  website: ./catalog-info.yaml
  api: ./all.yaml#component:default/api
  written:
    apiVersion: backstage.io/v1alpha1
    kind: Component
    metadata: { name: written, labels: { tier: one } }
    relations: [{ type: ownedBy, targetRef: group:default/platform }]
standIns:
  rbac: deny
  openchoreo:
    - { users: [olivia], permissions: [openchoreo], result: allow }
    - { result: deny }
permissions:
  - { name: billing.invoice.pay, plugin: billing, action: update, resourceType: invoice }
cases:
  - name: owners may delete what they own
    user: olivia
    permission: catalog.entity.delete
    entity: website
    standIns: { rbac: allow }
    expect: ALLOW
    route: "'catalog.entity' [update, delete]"
  - user: [olivia, anonymous, user:default/guest]
    permission: [billing.invoice.pay, { name: a, type: basic }]
    expect: CONDITIONAL
    conditions: { rule: IS_OWNER, params: { owners: $ownershipRefs } }
`;

const valid = (): Record<string, unknown> => parse(FILE) as Record<string, unknown>;
const CASE = { user: 'olivia', permission: 'a', expect: 'DENY' };
const withCase = (changes: object) => ({
  ...valid(),
  cases: [{ ...CASE, ...changes }],
});

function problems(content: unknown, surroundings?: Surroundings): string[] {
  try {
    readTestFile(content, surroundings);
    return [];
  } catch (error) {
    if (!(error instanceof TestFileError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('a valid file', () => {
  const file: TestFile = readTestFile(valid());

  it('has users, entities and stand-ins by name', () => {
    expect(file.users).toEqual(
      new Map([
        ['olivia', { ref: 'user:default/olivia', groups: ['group:default/platform'] }],
        ['constructor', {}],
      ]),
    );
    expect(file.entities?.get('website')).toEqual({
      file: './catalog-info.yaml',
      ref: undefined,
    });
    expect(file.entities?.get('api')).toEqual({
      file: './all.yaml',
      ref: 'component:default/api',
    });
    expect(file.entities?.get('written')).toEqual({
      entity: (valid().entities as { written: object }).written,
    });
    expect(file.standIns?.get('openchoreo')).toEqual([
      {
        users: ['olivia'],
        permissions: [{ segments: ['openchoreo'] }],
        result: 'allow',
      },
      { result: 'deny' },
    ]);
  });

  it('has lists of what can be a list', () => {
    expect(file.cases).toEqual([
      {
        name: 'owners may delete what they own',
        user: ['olivia'],
        permission: ['catalog.entity.delete'],
        entity: ['website'],
        standIns: new Map([['rbac', 'allow']]),
        expect: 'ALLOW',
        route: "'catalog.entity' [update, delete]",
      },
      {
        user: ['olivia', 'anonymous', 'user:default/guest'],
        permission: ['billing.invoice.pay', { name: 'a', type: 'basic' }],
        expect: 'CONDITIONAL',
        conditions: {
          template: expect.objectContaining({
            rule: 'IS_OWNER',
            params: { owners: '$ownershipRefs' },
          }) as unknown,
        },
      },
    ]);
  });
});

const KEYS = 'users, entities, standIns, permissions, cases';
const WHO =
  "a name of users, the entity ref of a user such as 'user:default/olivia', or 'anonymous'";

it.each<[rule: string, content: unknown, ...problems: string[]]>([
  ['must be an object', null, `: must be an object of ${KEYS}`],
  ['needs cases', {}, 'cases: is required: a list of cases'],
  ['needs a case', { cases: [] }, 'cases: is an empty list; name one or more cases'],
  [
    'has at most 10,000 cases',
    { cases: Array(MAX_CASES + 1).fill(CASE) },
    'cases: has more than 10000 cases',
  ],
  [
    'refuses unknown keys',
    { ...valid(), user: {} },
    `: unknown key 'user'; allowed: ${KEYS}`,
  ],
  [
    'a user has a short name',
    { ...valid(), users: { 'olivia fox': {}, olivia: {} } },
    "users.olivia fox: a name has up to 63 letters, digits, '.', '_' and '-', and begins with a letter or digit",
  ],
  [
    'no user is called anonymous',
    { ...valid(), users: { anonymous: {}, olivia: {} } },
    "users.anonymous: 'anonymous' is a request without a user; choose another name",
  ],
  [
    'no name is dropped',
    { ...valid(), users: JSON.parse('{"olivia":{},"__proto__":{}}') as object },
    "users: '__proto__' cannot be a name",
  ],
  [
    'a group is a whole ref',
    { ...valid(), users: { olivia: { groups: ['platform'] } } },
    `users.olivia.groups[0]: must be a whole entity ref such as 'group:default/platform', not "platform"`,
  ],
  [
    'an entity has a version, a kind and a name',
    { ...valid(), entities: { website: { metadata: {} } } },
    "entities.website.apiVersion: is required: the version of the kind, such as 'backstage.io/v1alpha1'",
    "entities.website.kind: is required: the kind of the entity, such as 'Component'",
    'entities.website.metadata.name: is required: the name of the entity',
  ],
  [
    'a built-in source needs no stand-in',
    { ...valid(), standIns: { allow: 'deny' } },
    "standIns.allow: must be the name of a source: 1 to 64 characters, without white space; 'allow' and 'deny' need no stand-in",
  ],
  [
    'an outage is of the whole source',
    { ...valid(), standIns: { opa: [{ result: 'unavailable' }], rbac: 'unavailable' } },
    `standIns.opa[0].result: must be 'allow' or 'deny' or 'not-applicable', not "unavailable"`,
  ],
  [
    'a prefix of a stand-in is one of routes',
    {
      ...valid(),
      standIns: {
        rbac: [{ permissions: ['a..b'], result: 'deny' }, { result: 'deny' }],
      },
    },
    "standIns.rbac[0].permissions[0]: 'a..b' has an empty segment; write '' or '*' to match every permission",
  ],
  [
    'a case has a user, a permission and an expectation',
    { ...valid(), cases: [{}] },
    `cases[0].user: is required: ${WHO}`,
    'cases[0].permission: is required: the name of a permission',
    "cases[0].expect: is required: 'ALLOW' or 'DENY' or 'CONDITIONAL'",
  ],
  [
    'a written permission is whole',
    withCase({ permission: { name: 'a', type: 'resource' } }),
    "cases[0].permission.resourceType: is required, because the type is 'resource'",
  ],
  [
    'a permission is listed once',
    withCase({
      permission: [
        { name: 'a', type: 'basic' },
        { type: 'basic', name: 'a' },
      ],
    }),
    'cases[0].permission: names the same value twice',
  ],
  [
    'a decision about an entity is not conditional',
    withCase({ expect: 'CONDITIONAL', entity: 'website' }),
    "cases[0].expect: must be 'ALLOW' or 'DENY', because an entity is named: its conditions are applied to it",
  ],
  [
    'only a conditional decision has conditions',
    withCase({ conditions: { rule: 'A' } }),
    "cases[0].conditions: is allowed only with expect: 'CONDITIONAL'",
  ],
  [
    'a placeholder must be known',
    withCase({
      expect: 'CONDITIONAL',
      conditions: { rule: 'A', params: { a: '$users' } },
    }),
    "cases[0].conditions.params.a: unknown placeholder '$users'; allowed: $user, $ownershipRefs. For the text itself, write '$$users'",
  ],
  [
    'a user must be defined',
    withCase({ user: ['olvia', 'guest'] }),
    "cases[0].user: unknown user 'olvia' (did you mean 'olivia'?); allowed: 'olivia', 'constructor', 'anonymous' or an entity ref such as 'user:default/olivia'",
    "cases[0].user: unknown user 'guest'; allowed: 'olivia', 'constructor', 'anonymous' or an entity ref such as 'user:default/olivia'",
  ],
  [
    'an entity must be defined',
    withCase({ entity: 'web-site' }),
    "cases[0].entity: unknown entity 'web-site' (did you mean 'website'?); allowed: 'website', 'api', 'written'",
  ],
  [
    'some entity must be defined',
    { users: { olivia: {} }, cases: [{ ...CASE, entity: 'website' }] },
    "cases[0].entity: unknown entity 'website'; the file defines none",
  ],
  [
    'a user of a stand-in must be defined',
    {
      ...valid(),
      standIns: { rbac: [{ users: ['guest'], result: 'allow' }, { result: 'deny' }] },
    },
    "standIns.rbac[0].users: unknown user 'guest'; allowed: 'olivia', 'constructor', 'anonymous' or an entity ref such as 'user:default/olivia'",
  ],
  [
    'a stand-in has an answer to every question',
    withCase({ standIns: { rbac: [{ users: ['olivia'], result: 'allow' }] } }),
    'cases[0].standIns.rbac[0]: the last rule must fit every question; add one with a result only, such as { result: deny }',
  ],
  [
    'a ref is that of one user',
    {
      users: { a: { ref: 'user:default/olivia' }, olivia: {} },
      cases: [{ ...CASE, user: 'user:default/Olivia' }],
    },
    "cases[0].user: 'user:default/Olivia' is the ref of the users 'a', 'olivia'; write one of these names",
  ],
  [
    'a permission is declared once',
    {
      ...valid(),
      permissions: [
        { name: 'a', plugin: 'b' },
        { name: 'a', plugin: 'c' },
      ],
    },
    "permissions[1].name: 'a' is already declared by permissions[0]",
  ],
])('%s', (_rule, content, ...expected) => {
  expect(problems(content)).toEqual(expected);
});

describe('with what is known around the file', () => {
  const known: Surroundings = {
    permissions: new Set(['catalog.entity.delete']),
    sources: new Map([
      ['rbac', 'hosted'],
      ['openchoreo', 'hosted'],
      ['opa', 'opa'],
      ['ownership', 'ownership'],
    ]),
  };

  it('accepts the valid file', () => {
    expect(problems(valid(), known)).toEqual([]);
  });

  it.each<[rule: string, content: unknown, ...problems: string[]]>([
    [
      'a permission must be declared',
      withCase({ permission: ['catalog.entity.delet', 'billing.invoice.pay'] }),
      "cases[0].permission: nothing declares the permission 'catalog.entity.delet' (did you mean 'catalog.entity.delete'?); declare it in 'permissions', or write out its name, type, action and resourceType here",
    ],
    [
      'a known permission is not declared again',
      {
        ...withCase({ permission: 'catalog.entity.delete' }),
        permissions: [{ name: 'catalog.entity.delete', plugin: 'catalog' }],
      },
      "permissions[0].name: 'catalog.entity.delete' is declared by its plugin; leave it out here",
    ],
    [
      'a stand-in is for a source of the config',
      withCase({ permission: 'catalog.entity.delete', standIns: { rback: 'deny' } }),
      "cases[0].standIns.rback: unknown source 'rback' (did you mean 'rbac'?); allowed: 'rbac', 'openchoreo', 'opa', 'ownership'",
    ],
    [
      'a local source needs no stand-in',
      withCase({
        permission: 'catalog.entity.delete',
        standIns: { ownership: 'deny' },
      }),
      "cases[0].standIns.ownership: a source of type 'ownership' decides here itself; leave it out",
    ],
    [
      'a hosted policy never abstains',
      withCase({
        permission: 'catalog.entity.delete',
        standIns: { rbac: 'not-applicable', opa: 'not-applicable' },
      }),
      "cases[0].standIns.rbac: must be 'allow' or 'deny' for a source of this type, not 'not-applicable'",
    ],
  ])('%s', (_rule, content, ...expected) => {
    expect(problems(content, known)).toEqual(expected);
  });
});

it('lists the first 50 of many problems, and counts the others', () => {
  const cases = Array.from({ length: 60 }, (_, index) => ({
    ...CASE,
    user: `unknown-${index}`,
  }));
  const read = () => readTestFile({ cases });
  expect(read).toThrow(/^the test file has 60 errors, the first 50:\n {2}- cases\[0\]/);
});
