import {
  configOf,
  expectProblems,
  problems,
  sourcesOf,
  type Row,
} from '../../support/read-config';

const LEAF = { rule: 'HAS_LABEL', params: { label: 'visibility' } };
const CONDITIONAL = { pluginId: 'catalog', conditions: LEAF };
const DENY = { result: 'deny' };

const withRules = (rules: unknown, more: object = {}): object =>
  configOf({ yaml: { type: 'conditions', rules, ...more } });
const withRule = (rule: object, more: object = {}): object => withRules([rule], more);
const withConditions = (conditions: unknown): object =>
  withRule({ ...CONDITIONAL, conditions });
const withParams = (params: unknown): object => withConditions({ ...LEAF, params });

const SHAPE =
  'must be {resourceType, rule, params}, or a group: a non-empty allOf or anyOf, or a not';

const UNSET =
  '. It is not set; if it is ${…} in app-config, that environment variable is not set';

describe('a source of type conditions', () => {
  it.each<[what: string, raw: object]>([
    ['conditions', withRule(CONDITIONAL)],
    ['a result', withRules([{ result: 'allow' }])],
    [
      'everything that a rule can have',
      withRule(
        {
          permissions: ['catalog', 'catalog.entity.*', '*'],
          actions: ['read', 'none'],
          resourceTypes: ['catalog-entity'],
          groups: ['group:default/platform', 'user:default/petra'],
          pluginId: 'catalog',
          conditions: {
            anyOf: [
              { not: LEAF },
              { allOf: [LEAF, { rule: 'R' }] },
              { ...LEAF, resourceType: 'catalog-entity' },
            ],
          },
        },
        { otherwise: 'not-applicable' },
      ),
    ],
    ['placeholders', withParams({ claims: '$ownershipRefs', value: '$user' })],
    [
      'text with $ in it',
      withParams({ a: 'a$user', b: '$$user', c: ['$$x', { d: '$$' }] }),
    ],
    ['other values', withParams({ a: null, b: 1, c: [true, []], d: {} })],
  ])('takes %s', async (_what, raw) => {
    expect(await problems(raw)).toEqual([]);
  });

  it('is local, so it has nothing that a source has which is waited for', async () => {
    const sources = await sourcesOf(withRule(CONDITIONAL));
    expect(sources.get('yaml')?.remote).toBeUndefined();
  });

  const at = '~.sources.yaml';
  const rule = `${at}.rules[0]`;
  it.each<Row>([
    [
      'needs rules',
      withRules(undefined),
      `${at}.rules: is required: a list of rules${UNSET}`,
    ],
    [
      'needs a rule',
      withRules([]),
      `${at}.rules: is an empty list; name one or more rules. If app-config has variables (\${…}) in it, they are not set`,
    ],
    [
      'takes no more than 1000 rules',
      withRules(Array(1001).fill(DENY)),
      `${at}.rules: has more than 1000 rules`,
    ],
    [
      'takes no rule that is a word',
      withRules(['deny']),
      `${rule}: must be an object of permissions, actions, resourceTypes, groups, pluginId, conditions, result`,
    ],
    [
      'refuses a misspelt key, which would make a rule fit more',
      withRule({ ...DENY, group: ['group:default/a'] }),
      `${rule}: unknown key 'group'; allowed: permissions, actions, resourceTypes, groups, pluginId, conditions, result`,
    ],
    [
      'refuses a misspelt key of the source',
      withRule(DENY, { default: 'deny' }),
      `${at}: unknown key 'default'; allowed: type, rules, otherwise`,
    ],
    [
      'needs something that a rule says',
      withRule({ actions: ['read'] }),
      `${rule}.result: is required: 'allow' or 'deny', or conditions in its place${UNSET}`,
    ],
    [
      'takes conditions or a result, not both',
      withRule({ ...CONDITIONAL, ...DENY }),
      `${rule}.result: cannot be combined with conditions`,
    ],
    [
      'takes no other result',
      withRule({ result: 'ALLOW' }),
      `${rule}.result: must be 'allow' or 'deny', not "ALLOW"`,
    ],
    [
      'needs a plugin that applies the conditions',
      withRule({ conditions: LEAF }),
      `${rule}.pluginId: is required: the id of the plugin that applies the conditions${UNSET}`,
    ],
    [
      'needs no plugin for a result',
      withRule({ ...DENY, pluginId: 'catalog' }),
      `${rule}.pluginId: has no effect without conditions`,
    ],
    [
      'needs the id of a plugin',
      withRule({ ...CONDITIONAL, pluginId: '../catalog' }),
      `${rule}.pluginId: must be the id of a plugin such as 'catalog': up to 64 letters, digits, '-' and '_', not "../catalog"`,
    ],
    [
      'refuses an empty list, which would never fit',
      withRule({ ...DENY, permissions: [] }),
      `${rule}.permissions: is an empty list; name one or more permission prefixes. If app-config has variables (\${…}) in it, they are not set`,
    ],
    [
      'reads prefixes as routes do',
      withRule({ ...DENY, permissions: ['catalog', 'catalog..entity', 'a*b', 1] }),
      `${rule}.permissions[1]: 'catalog..entity' has an empty segment; write '' or '*' to match every permission`,
      `${rule}.permissions[2]: 'a*b' has a '*' that is not its last segment; a prefix is not a pattern`,
      `${rule}.permissions[3]: must be a permission prefix such as 'catalog.entity'`,
    ],
    [
      'takes no other action',
      withRule({ ...DENY, actions: ['raed'] }),
      `${rule}.actions[0]: must be 'create' or 'read' or 'update' or 'delete' or 'none', not "raed"`,
    ],
    [
      'needs whole refs of groups',
      withRule({ ...DENY, groups: ['platform'] }, { otherwise: 'deny' }),
      `${rule}.groups[0]: must be a whole entity ref such as 'group:default/platform', not "platform"`,
    ],
    [
      'needs to know what others get, if a rule has groups',
      withRule({ ...DENY, groups: ['group:default/a'] }),
      `${at}.otherwise: is required, because a rule has groups: 'deny' or 'not-applicable', for users who are in none of them${UNSET}`,
    ],
    [
      'has nothing for others, if no rule has groups',
      withRule(DENY, { otherwise: 'deny' }),
      `${at}.otherwise: has no effect, because no rule has groups`,
    ],
    [
      'opens nothing to others',
      withRule({ ...DENY, groups: ['group:default/a'] }, { otherwise: 'allow' }),
      `${at}.otherwise: must be 'deny' or 'not-applicable', not "allow"`,
    ],
    [
      'refuses conditions that are none',
      withConditions('HAS_LABEL'),
      `${rule}.conditions: ${SHAPE}`,
    ],
    [
      'refuses a list of conditions',
      withConditions([LEAF]),
      `${rule}.conditions: ${SHAPE}`,
    ],
    ['refuses null', withConditions(null), `${rule}.conditions: ${SHAPE}`],
    [
      'refuses an empty group',
      withConditions({ anyOf: [LEAF, { allOf: [] }] }),
      `${rule}.conditions.anyOf[1].allOf: must not be empty. If app-config has variables (\${…}) in it, they are not set`,
    ],
    [
      'refuses two connectives in one',
      withConditions({ not: { anyOf: [LEAF], allOf: [LEAF] } }),
      `${rule}.conditions.not: ${SHAPE}`,
    ],
    [
      'refuses a rule without a name',
      withConditions({ anyOf: [{ params: {} }] }),
      `${rule}.conditions.anyOf[0]: ${SHAPE}`,
    ],
    [
      'refuses a rule with another key',
      withConditions({ ...LEAF, param: {} }),
      `${rule}.conditions: ${SHAPE}`,
    ],
    [
      'refuses a rule with a group in it',
      withConditions({ ...LEAF, not: LEAF }),
      `${rule}.conditions: ${SHAPE}`,
    ],
    [
      'needs parameters by name',
      withParams(['visibility']),
      `${rule}.conditions.params: must be an object`,
    ],
    [
      'needs a text for a resource type',
      withConditions({ ...LEAF, resourceType: null }),
      `${rule}.conditions: ${SHAPE}`,
    ],
    [
      'applies a rule of another resource type to nothing',
      withRule({
        ...CONDITIONAL,
        resourceTypes: ['catalog-entity', 'other'],
        conditions: { not: { ...LEAF, resourceType: 'other' } },
      }),
      `${rule}.conditions: a rule names the resource type 'other', which must then be the only one in resourceTypes`,
    ],
    [
      'needs the resource type that a rule names',
      withConditions({ ...LEAF, resourceType: 'catalog-entity' }),
      `${rule}.conditions: a rule names the resource type 'catalog-entity', which must then be the only one in resourceTypes`,
    ],
    [
      'knows no other placeholder',
      withConditions({
        anyOf: [LEAF, { rule: 'R', params: { claims: '$ownershiprefs' } }],
      }),
      `${rule}.conditions.anyOf[1].params.claims: unknown placeholder '$ownershiprefs'; allowed: $user, $ownershipRefs. For the text itself, write '$$ownershiprefs'`,
    ],
    [
      'knows no other placeholder inside a value',
      withParams({ a: [{ b: '$' }] }),
      `${rule}.conditions.params.a[0].b: unknown placeholder '$'; allowed: $user, $ownershipRefs. For the text itself, write '$$'`,
    ],
    [
      'replaces whole values only',
      withParams({ createdBy: ['$user'] }),
      `${rule}.conditions.params.createdBy[0]: $user replaces the whole value of a parameter, not a part of it`,
    ],
    [
      'takes no placeholder under a not, however deep',
      withConditions({
        not: {
          anyOf: [LEAF, { not: { rule: 'R', params: { claims: '$ownershipRefs' } } }],
        },
      }),
      `${rule}.conditions.not.anyOf[1].not.params.claims: $ownershipRefs is not allowed under a not: it would open what it should close`,
    ],
    [
      'reports all mistakes at once',
      withRules([{}, { result: 'allow', pluginId: 'x' }]),
      `${rule}.result: is required: 'allow' or 'deny', or conditions in its place${UNSET}`,
      `${at}.rules[1].pluginId: has no effect without conditions`,
    ],
  ])('%s', expectProblems);

  it('refuses conditions that are nested too deeply', async () => {
    let conditions: object = LEAF;
    for (let depth = 0; depth < 600; depth++) conditions = { not: conditions };
    expect(await problems(withConditions(conditions))).toEqual([
      `${rule}.conditions: is nested deeper than 500 levels`,
    ]);
  });
});
