import { caseUser } from '../../../src/cli/cases/users';

const users = new Map([
  ['olivia', { groups: ['group:default/platform'] }],
  ['sam', { ref: 'user:other/Samuel', groups: ['group:default/a'] }],
  ['guest', {}],
]);

it.each([
  ['guest', 'user:default/guest', ['user:default/guest']],
  ['olivia', 'user:default/olivia', ['user:default/olivia', 'group:default/platform']],
  ['sam', 'user:other/Samuel', ['user:other/Samuel', 'group:default/a']],
  // A ref is that of the user who has it, in any letter case.
  [
    'User:default/Olivia',
    'user:default/olivia',
    ['user:default/olivia', 'group:default/platform'],
  ],
  ['user:default/stranger', 'user:default/stranger', ['user:default/stranger']],
  ['anonymous', undefined, []],
])('%s', (who, ref, ownershipRefs) => {
  expect(caseUser(who, users)).toEqual({ ref, ownershipRefs });
});
